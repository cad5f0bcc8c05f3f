"""Migrations go up, down and up again, have one head and leave no drift."""

import pytest

from migrations import run
from services.shared.db.base import Base
from tests.databases import Database

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
