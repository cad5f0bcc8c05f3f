"""Migrations go up, down and up again, have one head and leave no drift."""

import pytest

from migrations import run
from tests.databases import Database

pytestmark = pytest.mark.stack


def test_there_is_one_head() -> None:
    assert len(run.heads()) == 1


def test_up_down_up_leaves_the_tables_as_they_are_mapped(database: Database) -> None:
    assert run.drift(database.owner_url) == []
    run.downgrade(database.owner_url, "base")
    left = {type(change).__name__ for change in run.drift(database.owner_url)}
    run.upgrade(database.owner_url)
    assert left == {"tuple"}  # ("add_table", …): nothing was there
    assert run.drift(database.owner_url) == []
