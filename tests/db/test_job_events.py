"""Postgres notes what happens to a job, numbered in the order of the commits, whoever writes."""

import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from services.shared.db.repos import batches, events, history, jobs, listings, stages, usage
from services.shared.db.repos.stages import StageLease
from services.shared.db.repos.usage import Attempt
from services.shared.db.session import engine, set_project, unit_of_work
from services.shared.db.tables import Job, JobEvent, RatingBatch, Stage, Usage
from services.shared.ids import new_id
from services.shared.stages import StageName
from tests.databases import Database, libpq
from tests.db.conftest import make_dataset, make_project, make_run

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("connected")]


@pytest.fixture
def project() -> UUID:
    return make_project("p")


@pytest.fixture
def run(project: UUID) -> UUID:
    return make_run(project, make_dataset(project))


def seen(project: UUID, run: UUID, after: int = 0) -> list[tuple[int, str]]:
    with unit_of_work(project) as session:
        return [(row.seq, row.kind) for row in events.page(session, run, size=99, after=after)]


def test_an_event_commits_with_its_change_or_not_at_all(project: UUID, run: UUID) -> None:
    with pytest.raises(RuntimeError), unit_of_work(project) as session:
        stages.claim(session, run, StageName.SNAPSHOT)
        raise RuntimeError
    assert seen(project, run) == [(1, "job.queued"), (2, "stage.ready")]


def test_a_plain_update_by_another_program_is_noted_too(
    project: UUID, run: UUID, database: Database
) -> None:
    with psycopg.connect(libpq(database.admin_url)) as connection:
        connection.execute("UPDATE jobs SET state = 'paused' WHERE id = %s", [run])
    with psycopg.connect(libpq(database.admin_url)) as connection:
        connection.execute("UPDATE jobs SET state = 'running' WHERE id = %s", [run])
    assert seen(project, run)[2:] == [(3, "job.paused"), (4, "job.resumed")]


def test_a_pause_tells_its_reason_where_the_row_has_one(
    project: UUID, run: UUID, database: Database
) -> None:
    with psycopg.connect(libpq(database.owner_url)) as connection:
        connection.execute("ALTER TABLE jobs ADD COLUMN IF NOT EXISTS pause jsonb")
        connection.execute(
            "UPDATE jobs SET state = 'paused', pause = %s WHERE id = %s",
            ['{"code": "LLM_AWAY", "detail": "The endpoint is away."}', run],
        )
    with unit_of_work(project) as session:
        (paused,) = events.page(session, run, size=9, after=2)
        assert paused.data["pause"] == {"code": "LLM_AWAY", "detail": "The endpoint is away."}


def test_what_is_written_without_a_change_of_state_is_no_event(project: UUID, run: UUID) -> None:
    before = seen(project, run)
    with unit_of_work(project) as session:
        jobs.set_progress(session, run, {"completed": 1})
        session.execute(text("UPDATE jobs SET state = state"))
        session.execute(text("UPDATE stages SET state = state, sent_at = now()"))
    assert seen(project, run) == before


def test_attempts_releases_failures_and_dead_batches_tell_their_reasons(
    project: UUID, run: UUID
) -> None:
    error = {"code": "BROKE", "detail": "It broke."}
    with unit_of_work(project) as session:
        lease = stages.claim(session, run, StageName.SNAPSHOT)
        assert lease is not None
        stages.release(session, lease, attempt_counts=True)
    with unit_of_work(project) as session:
        lease = stages.claim(session, run, StageName.SNAPSHOT)
        assert lease is not None
        session.execute(text("UPDATE stages SET lease_until = now() - interval '1 second'"))
    with unit_of_work(project) as session:  # its worker was killed
        lease = stages.claim(session, run, StageName.SNAPSHOT)
        assert lease is not None
        session.add(RatingBatch(run_id=run, project_id=project, number=3, calls=2, id=new_id()))
        session.flush()
        batch = batches.claim(session, run)
        assert batch is not None
        batches.bury(session, batch, error)
        stages.fail(session, lease, error)
    with unit_of_work(project) as session:
        rows = [row for row in events.page(session, run, size=99, after=2) if row.stage]
        told = [(row.kind, row.stage, row.data.get("attempt")) for row in rows]
        errors = [row.data["error"] for row in rows if "error" in row.data]
    assert told[:5] == [
        ("stage.running", "snapshot", 1),
        ("stage.released", "snapshot", 1),
        ("stage.running", "snapshot", 2),
        ("stage.running", "snapshot", 3),
        ("batch.dead", "rate", 1),
    ]
    assert ("stage.failed", "snapshot", 3) in told
    assert errors == [error, error]
    assert seen(project, run)[-1][1] == "job.failed"


def test_pauses_are_left_out_of_what_a_stage_took(project: UUID, run: UUID) -> None:
    begun = datetime(2026, 3, 1, 12, tzinfo=UTC)
    happened: list[tuple[int, str, str | None, dict[str, object]]] = [
        (10, "job.paused", None, {"pause": {"code": "LLM_AWAY", "stage": "rate"}}),
        (70, "job.resumed", None, {}),
        (80, "job.paused", None, {"pause": {"code": "ASKED"}}),
        (85, "batch.dead", "rate", {}),
        (100, "job.resumed", None, {}),
    ]
    with unit_of_work(project) as session:
        for seq, (seconds, kind, stage, data) in enumerate(happened, start=3):
            told = {"project_id": project, "job_id": run, "kind": kind, "stage": stage}
            at = begun + timedelta(seconds=seconds)
            session.add(JobEvent(**told, data=data, seq=seq, at=at))
        worked = update(Stage).where(Stage.name.in_(["rate", "train_raw"]), Stage.run_id == run)
        end = begun + timedelta(seconds=120)
        session.execute(worked.values(started_at=begun, finished_at=end))
        jobs.end(session, run, "succeeded")
    with unit_of_work(project) as session:
        dataset = jobs.get(session, run).dataset_id
        assert dataset is not None
        # 60 seconds without the LLM were rating's alone, the 20 that a person asked for everybody's
        expected = {"rate": 40.0, "train_raw": 100.0}
        assert listings.seconds_of(session, run) == expected
        for past in (history.of_dataset(session, dataset)[0], history.anywhere(session)[0]):
            assert {name: took.seconds for name, took in past.stages.items()} == expected


def test_a_reader_never_misses_the_event_of_a_transaction_that_commits_late(
    project: UUID, run: UUID
) -> None:
    early, late = StageName.SNAPSHOT.value, StageName.EMBED.value
    change = text("UPDATE stages SET state = 'running' WHERE run_id = :run AND name = :name")
    found: list[tuple[int, str]] = []
    with unit_of_work(project) as first:
        first.execute(change, {"run": run, "name": early})  # begins first, commits last
        with unit_of_work(project) as second:
            second.execute(change, {"run": run, "name": late})
        found += seen(project, run)
    found += seen(project, run, after=found[-1][0])
    assert [seq for seq, _ in found] == [1, 2, 3, 4]
    with unit_of_work(project) as session:
        order = session.scalars(select(JobEvent.stage).where(JobEvent.seq > 2)).all()
    assert order == [late, early]


def test_many_writers_at_once_leave_no_gap_and_no_number_twice(project: UUID, run: UUID) -> None:
    names = [name.value for name in StageName]
    change = text("UPDATE stages SET state = :state WHERE run_id = :run AND name = :name")

    def write(name: str) -> None:
        for state in ("running", "ready", "running"):
            with unit_of_work(project) as session:
                session.execute(change, {"run": run, "name": name, "state": state})

    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    read: list[int] = []
    while any(thread.is_alive() for thread in threads):
        read += [seq for seq, _ in seen(project, run, after=read[-1] if read else 0)]
    read += [seq for seq, _ in seen(project, run, after=read[-1] if read else 0)]
    assert read == list(range(1, 3 + 3 * len(names)))


def test_a_claim_and_a_cancellation_that_meet_do_not_wait_in_a_circle(
    project: UUID, run: UUID
) -> None:
    with unit_of_work(project) as session:
        jobs.start(session, run)
    cancelled = threading.Event()

    def cancel() -> None:
        with unit_of_work(project) as session:
            stages.cancel_run(session, run)
        cancelled.set()

    with unit_of_work(project) as session:
        assert stages.claim(session, run, StageName.SNAPSHOT) is not None
        other = threading.Thread(target=cancel)
        other.start()
        assert not cancelled.wait(0.5)  # it holds the job and waits for the stage
    other.join(30)
    assert cancelled.is_set()
    with unit_of_work(project) as session:
        assert jobs.state(session, run) == "cancelling"


def test_a_claim_of_a_queued_run_and_its_cancellation_lock_in_one_order(
    project: UUID, run: UUID, database: Database
) -> None:
    claimed: list[StageLease | None] = []

    def claim() -> None:
        with unit_of_work(project) as session:
            claimed.append(stages.claim(session, run, StageName.SNAPSHOT))

    with unit_of_work(project) as session:
        jobs.lock(session, run)
        claimer = threading.Thread(target=claim)
        claimer.start()
        _wait_for_lock(database)
        stages.cancel_run(session, run)
    claimer.join(30)
    assert claimed == [None]
    with unit_of_work(project) as session:
        assert jobs.state(session, run) == "cancelled"


def test_an_event_waits_in_no_circle_with_one_who_has_locked_the_whole_row(
    project: UUID, run: UUID, database: Database
) -> None:
    ended = threading.Event()

    def write() -> None:
        with unit_of_work(project) as session:
            session.execute(text("UPDATE stages SET state = 'running' WHERE name = 'snapshot'"))
        ended.set()

    with unit_of_work(project) as session:
        session.execute(text("SELECT FROM jobs FOR UPDATE"))  # as processes of before did
        writer = threading.Thread(target=write)
        writer.start()
        _wait_for_lock(database)
        jobs.start(session, run)
    assert ended.wait(30)
    writer.join()
    assert [kind for _, kind in seen(project, run)[2:]] == ["job.running", "stage.running"]


def test_events_go_with_their_job_even_when_it_ends_in_the_same_transaction(
    project: UUID, run: UUID
) -> None:
    with unit_of_work(project) as session:
        jobs.end(session, run, "cancelled")
        session.execute(delete(Job).where(Job.id == run))
    with unit_of_work(project) as session:
        assert session.scalars(select(JobEvent)).all() == []
        assert session.scalars(select(Stage)).all() == []


def test_sums_of_usage_grow_with_every_attempt_and_outlive_the_rows(
    project: UUID, run: UUID
) -> None:
    def totals() -> dict[tuple[str, str], tuple[int, int]]:
        with unit_of_work() as session:
            rows = session.execute(text("SELECT * FROM usage_totals() WHERE model = 'm'"))
            return {(row.kind, row.status): (row.attempts, row.prompt_tokens) for row in rows}

    attempt = {"project_id": project, "run_id": run, "kind": "chat", "model": "m", "attempt": 1}
    for status in ("ok", "ok", "timeout"):
        with unit_of_work(project) as session:
            tokens = 10 if status == "ok" else None
            session.add(Usage(**attempt, status=status, prompt_tokens=tokens))
    assert totals() == {("chat", "ok"): (2, 20), ("chat", "timeout"): (1, 0)}
    with unit_of_work(project) as session:
        session.execute(delete(Usage))
    assert totals() == {("chat", "ok"): (2, 20), ("chat", "timeout"): (1, 0)}


def test_attempts_that_ended_in_several_ways_wait_for_a_sum_with_no_other_held(
    project: UUID, run: UUID, database: Database
) -> None:
    def attempt(status: str) -> Attempt:
        of = {"prompt_tokens": 1, "completion_tokens": 1, "latency_ms": 1.0, "attempt": 1}
        return Attempt(kind="chat", model="several", status=status, **of)

    def add(session: Session, *statuses: str) -> None:
        usage.add(session, [attempt(one) for one in statuses], project_id=project, run_id=run)

    def add_both() -> None:
        add(one, "timeout", "ok")
        one.commit()

    with ExitStack() as sessions:
        one, other = _sessions_of_one_sum(sessions, project)
        with psycopg.connect(libpq(database.admin_url)) as holder:
            add(other, "ok", "timeout")
            other.commit()
            set_project(other, project)
            holder.execute(
                "SELECT FROM totals.usage WHERE model = 'several' AND status = 'ok' FOR UPDATE"
            )
            writer = threading.Thread(target=add_both)
            writer.start()
            _wait_for_lock(database)
            other.execute(text("SET LOCAL lock_timeout = '5s'"))
            add(other, "timeout")
            other.commit()
        writer.join(30)
        assert not writer.is_alive()
    with unit_of_work() as session:
        rows = session.execute(text("SELECT * FROM usage_totals() WHERE model = 'several'"))
        assert {row.status: row.attempts for row in rows} == {"ok": 2, "timeout": 3}


def _sessions_of_one_sum(sessions: ExitStack, project: UUID) -> tuple[Session, Session]:
    """Return two sessions whose backends add to the same one of the sixteen sums."""
    by_shard: dict[int, Session] = {}
    for _ in range(17):
        session = sessions.enter_context(Session(engine("database_url")))
        set_project(session, project)
        shard = session.scalars(text("SELECT pg_backend_pid() % 16")).one()
        if shard in by_shard:
            return by_shard[shard], session
        by_shard[shard] = session
    raise AssertionError


def _wait_for_lock(database: Database) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with psycopg.connect(libpq(database.admin_url), autocommit=True) as asking:
        deadline = time.monotonic() + 30
        while asking.execute(query).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_the_app_role_reads_sums_of_all_projects_but_not_their_tables(
    project: UUID, run: UUID
) -> None:
    with unit_of_work() as session:
        rows = session.execute(text("SELECT * FROM workload()")).all()
        assert ("jobs", "run", "queued", 1) in [tuple(row)[:4] for row in rows]
        assert ("stages", "snapshot", "ready", 1) in [tuple(row)[:4] for row in rows]
    with pytest.raises(Exception, match="permission denied for schema totals"):  # noqa: SIM117
        with unit_of_work() as session:
            session.execute(text("SELECT * FROM totals.usage"))
