"""Migrations go up, down and up again, have one head and leave no drift."""

from collections.abc import Mapping
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import select, text

from migrations import run
from services.shared.db.base import Base
from services.shared.db.repos import events, jobs, pauses, runs, stages, workload
from services.shared.db.repos.pauses import Cause
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Stage
from services.shared.specs import RunSpec
from services.shared.stages import StageName
from tests.databases import Database, libpq
from tests.db import every_table
from tests.db.conftest import make_dataset, make_project, make_run

pytestmark = pytest.mark.stack

FIRST = "0004"
"""The revision of the databases that stand somewhere already."""


def test_there_is_one_head() -> None:
    assert len(run.heads()) == 1


def test_up_down_up_leaves_the_tables_as_they_are_mapped(database: Database) -> None:
    assert run.drift(database.owner_url) == []
    run.downgrade(database.owner_url, "base")
    changes = run.drift(database.owner_url)
    missing = {change[1].name for change in changes if change[0] == "add_table"}
    assert missing == set(Base.metadata.tables)
    run.upgrade(database.owner_url)
    assert run.drift(database.owner_url) == []


def test_what_a_dataset_serves_today_is_where_its_first_rollback_goes(database: Database) -> None:
    run.downgrade(database.owner_url, "0007-1")
    with psycopg.connect(libpq(database.owner_url), autocommit=True) as owner:
        owner.execute("INSERT INTO projects (id, name) VALUES (gen_random_uuid(), 'p')")
        owner.execute(
            "INSERT INTO datasets (id, project_id, name, settings, version, current_model_id)"
            " SELECT gen_random_uuid(), id, 'd' || n, '{}', 0,"
            "        CASE n WHEN 1 THEN gen_random_uuid() END"
            " FROM projects, generate_series(1, 2) AS n"
        )
        run.upgrade(database.owner_url)
        rows = owner.execute(
            "SELECT d.name, s.cause, s.graph, s.model_id = d.current_model_id"
            " FROM servings s JOIN datasets d ON d.id = s.dataset_id"
        ).fetchall()
        owner.execute("DELETE FROM projects")
    assert rows == [("d1", "first", None, True)]


@pytest.mark.usefixtures("connected")
def test_a_database_of_the_first_release_goes_up_with_its_rows_and_its_runs_go_on(
    database: Database,
) -> None:
    project = make_project("p")
    every_table.fill(project)
    run.downgrade(database.owner_url, FIRST)
    before = _counts(database)
    assert all(before[table] for table in ("jobs", "stages", "interactions", "verdicts", "usage"))
    run.upgrade(database.owner_url)
    after = _counts(database)
    assert {table: after[table] for table in before} == before | {"prompts": 4}
    with unit_of_work(project) as session:
        assert [row.attempts for row in workload.spent(session)] == [before["usage"]]
        (run_id,) = session.scalars(select(Stage.run_id).where(Stage.state == "ready"))
        session.execute(text("UPDATE stages SET sent_at = now() - interval '1 day'"))
    with unit_of_work() as session:
        sent = session.execute(text("SELECT task, id FROM sweep_overdue(interval '1 minute')"))
        assert ("stage.snapshot", run_id) in [tuple(row) for row in sent]
    with unit_of_work(project) as session:
        lease = stages.claim(session, run_id, StageName.SNAPSHOT)
        assert lease is not None
        stages.report(session, lease, {"total": 2, "completed": 1})
        stages.pause(session, lease, Cause(code=pauses.DISK_FULL, detail="No room.", needs=1))
        seen = [event.kind for event in events.page(session, run_id, size=9, after=0)]
    assert seen == []  # what happened before is not known
    with unit_of_work(project) as session:
        seen = [event.kind for event in events.page(session, run_id, size=9, after=0)]
    assert seen[-1] == "job.paused"


@pytest.mark.usefixtures("connected")
def test_going_down_with_rows_lets_what_was_paused_go_on(database: Database) -> None:
    project = make_project("p")
    run_id = make_run(project, make_dataset(project))
    with unit_of_work(project) as session:
        pauses.ask(session, jobs.lock(session, run_id))
    run.downgrade(database.owner_url, FIRST)
    with psycopg.connect(libpq(database.owner_url)) as owner:
        assert owner.execute("SELECT state FROM jobs").fetchall() == [("running",)]
    run.upgrade(database.owner_url)
    with unit_of_work(project) as session:
        assert stages.claim(session, run_id, StageName.SNAPSHOT) is not None


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_a_run_of_before_edge_scores_keeps_what_it_meant(database: Database, preset: str) -> None:
    project = make_project("p")
    made = RunSpec.read({"params": {"preset": preset}})
    chosen = RunSpec.read({"params": {"preset": preset, "edge_scores": "plausibility"}})
    params = made.params.model_dump(mode="json", exclude={"edge_scores"})
    old = made.to_json() | {"params": params}
    run.downgrade(database.owner_url, "0009")
    run_id = make_run(project, make_dataset(project))
    _keep(project, run_id, old)
    run.upgrade(database.owner_url)
    before = made.params.model_copy(update={"edge_scores": "leave_one_out"})
    assert _read(project, run_id) == made.model_copy(update={"params": before})
    run.downgrade(database.owner_url, "0009")
    with unit_of_work(project) as session:
        assert "edge_scores" not in runs.get(session, run_id).spec["params"]
    _keep(project, run_id, chosen.to_json())
    run.upgrade(database.owner_url)
    assert _read(project, run_id) == chosen  # what is said is not overwritten


def test_a_process_of_before_finds_its_keys_while_the_database_goes_up(database: Database) -> None:
    run.downgrade(database.owner_url, FIRST)
    with psycopg.connect(libpq(database.app_url), autocommit=True) as before:
        before.prepare_threshold = 0  # a plan is kept from the first time on
        ask = "SELECT * FROM authenticate(%s)"
        assert before.execute(ask, ["a-prefix"]).fetchall() == []
        run.upgrade(database.owner_url)
        assert before.execute(ask, ["a-prefix"]).fetchall() == []


def _keep(project: UUID, run_id: UUID, spec: Mapping[str, object]) -> None:
    with unit_of_work(project) as session:
        runs.get(session, run_id).spec = dict(spec)


def _read(project: UUID, run_id: UUID) -> RunSpec:
    with unit_of_work(project) as session:
        return RunSpec.read(runs.get(session, run_id).spec)


def _counts(database: Database) -> dict[str, int]:
    """Return how many rows each table has."""
    with psycopg.connect(libpq(database.owner_url)) as owner:
        names = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        counts = {}
        for (name,) in names.fetchall():
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))
            counts[name] = owner.execute(query).fetchone()[0]  # type: ignore[index]
    return counts
