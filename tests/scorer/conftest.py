"""One trained and served shop for the files of this folder."""

from collections.abc import Iterator

import pytest

from tests.databases import Database
from tests.scorer.world import World, opened


@pytest.fixture(scope="module")
def world(
    database: Database, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The shop with its model, behind api and scorer; every test may add to its log."""
    with opened(database, valkey_url, tmp_path_factory.mktemp("scorer")) as made:
        yield made
