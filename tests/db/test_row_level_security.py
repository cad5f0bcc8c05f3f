"""A forgotten filter leaks nothing: the policies stand alone."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from services.shared.db.base import Base
from services.shared.db.session import unit_of_work
from tests.db.conftest import make_dataset, make_project, make_run
from tests.db.every_table import fill

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("connected")]
TABLES = sorted(set(Base.metadata.tables) - {"prompts"})
APPEND_ONLY = ["audit_log", "job_events", "override_changes", "servings"]


def test_no_service_role_may_bypass_row_level_security() -> None:
    with unit_of_work() as session:
        rows = session.execute(
            text(
                "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles"
                " WHERE rolname IN ('winnow_app', 'winnow_ingest', 'winnow_owner')"
            )
        ).all()
        me = session.scalar(text("SELECT current_user"))
    assert {tuple(row) for row in rows} == {
        ("winnow_app", False, False, False, False),
        ("winnow_ingest", False, False, False, False),
        ("winnow_owner", False, False, False, False),
    }
    assert me == "winnow_app"


def test_every_table_but_the_prompts_has_forced_row_level_security() -> None:
    with unit_of_work() as session:
        forced = session.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind = 'r' AND relrowsecurity AND relforcerowsecurity"
            )
        ).all()
    assert sorted(forced) == TABLES


@pytest.mark.parametrize("table", TABLES)
def test_without_a_filter_another_projects_rows_are_invisible(table: str) -> None:
    mine, theirs = make_project("mine"), make_project("theirs")
    for project in (mine, theirs):
        fill(project)
    column = "id" if table == "projects" else "project_id"
    for project in (mine, theirs):
        with unit_of_work(project) as session:
            seen = session.scalars(text(f"SELECT {column} FROM {table}")).all()
        assert set(seen) == {project}
        if table not in APPEND_ONLY:
            with unit_of_work(project) as session:
                written = session.execute(text(f"UPDATE {table} SET {column} = {column}"))
            assert written.rowcount == len(seen)
    with unit_of_work() as session:
        assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 0


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {table} SET project_id = project_id", "DELETE FROM {table}", "TRUNCATE {table}"],
)
def test_what_happened_is_added_to_and_never_changed(table: str, statement: str) -> None:
    project = make_project("mine")
    fill(project)
    count = text(f"SELECT count(*) FROM {table}")
    with unit_of_work(project) as session:
        before = session.scalar(count)
        assert before
    with (
        pytest.raises(ProgrammingError, match=f"permission denied for table {table}"),
        unit_of_work(project) as session,
    ):
        session.execute(text(statement.format(table=table)))
    with unit_of_work(project) as session:
        assert session.scalar(count) == before


def test_the_history_of_words_goes_with_its_dataset_and_the_audit_log_stays() -> None:
    project = make_project("mine")
    fill(project)
    with unit_of_work(project) as session:
        session.execute(text("DELETE FROM jobs"))
        session.execute(text("DELETE FROM datasets"))
        left = {
            table: session.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in ("overrides", *APPEND_ONLY)
        }
    assert left == dict.fromkeys(left, 0) | {"audit_log": 1}


def test_a_function_that_looks_past_the_policies_is_pinned_and_open_to_no_stranger() -> None:
    query = text("""
        SELECT p.oid::regprocedure::text AS name, p.proconfig AS pinned,
               has_function_privilege('public', p.oid, 'EXECUTE') AS open
        FROM pg_proc p WHERE p.prosecdef
            AND p.pronamespace::regnamespace::text IN ('public', 'staging', 'totals')
    """)
    with unit_of_work(setting="owner_database_url") as session:
        found = session.execute(query).all()
    assert len(found) >= 9
    for function in found:
        assert function.pinned == ["search_path=public, pg_temp"], function.name
        assert not function.open, function.name


def test_a_row_cannot_be_written_into_another_project() -> None:
    mine, theirs = make_project("mine"), make_project("theirs")
    statement = text(
        "INSERT INTO jobs (id, project_id, kind, state, progress)"
        " VALUES (gen_random_uuid(), :project, 'run', 'queued', '{}')"
    )
    with pytest.raises(ProgrammingError, match="row-level security"), unit_of_work(mine) as session:
        session.execute(statement, {"project": theirs})


def test_a_dataset_cannot_be_tied_to_another_projects_run() -> None:
    mine, theirs = make_project("mine"), make_project("theirs")
    dataset = make_dataset(theirs)
    with pytest.raises(DBAPIError, match="fk_"):
        make_run(mine, dataset)


def test_the_app_role_cannot_see_the_staging_schema() -> None:
    with pytest.raises(ProgrammingError, match="permission denied for schema staging"):  # noqa: SIM117
        with unit_of_work() as session:
            session.execute(text("SELECT staging.open(gen_random_uuid(), 'users')"))


def test_the_ingest_role_reads_no_table() -> None:
    with (
        pytest.raises(ProgrammingError, match="permission denied for table interactions"),
        unit_of_work(setting="ingest_database_url") as session,
    ):
        session.execute(text("SELECT * FROM interactions"))
