"""Migrations go up, down and up again, have one head and leave no drift."""

import psycopg
import pytest

from migrations import run
from services.shared.db.base import Base
from tests.databases import Database, libpq

pytestmark = pytest.mark.stack


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
