"""One running stack a file, and what every test of it starts from."""

from collections.abc import Iterator

import pytest

from tests.e2e import house as houses
from tests.e2e import shop as shops
from tests.e2e.house import House
from tests.e2e.shop import Shop
from winnow_client import Client


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The whole stack, embedded, as `winnow up` starts it."""
    with houses.running(tmp_path_factory.mktemp("stack") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The files that are uploaded."""
    return shops.write(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def key(house: House) -> str:
    """A key of the downstream app's project."""
    return house.new_key("bookshop")


@pytest.fixture(scope="module")
def client(house: House, key: str) -> Iterator[Client]:
    """The downstream app's client."""
    with Client(house.url, key) as made:
        yield made
