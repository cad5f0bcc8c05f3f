"""What every test may ask for: servers of its own, a fresh database, a quiet environment."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from migrations import bootstrap, run
from tests import databases
from tests.databases import PASSWORDS, Database
from winnow.embedded import ports
from winnow.embedded.launch import launched
from winnow.embedded.postgres import Postgres
from winnow.embedded.valkey import Valkey

TEMPLATE = "winnow_template"

# The cores are shared: a slow example is no failure. `make soak` takes the second profile.
settings.register_profile("default", deadline=None)
settings.register_profile("soak", deadline=None, max_examples=5_000)
settings.load_profile("default")

ENVIRONMENT = os.environ  # noqa: TID251 - this is where tests are kept apart from it

# A shell starts its background jobs deaf to Ctrl-C; tests that send one start children of ours.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before torch or numpy load: two test processes on two cores, one thread each.
ENVIRONMENT["OMP_NUM_THREADS"] = "1"


def _settings() -> dict[str, str]:
    return {name: value for name, value in ENVIRONMENT.items() if name.startswith("WINNOW_")}


for _name in _settings():
    del ENVIRONMENT[_name]


@pytest.fixture(autouse=True)
def _quiet_environment() -> Iterator[None]:
    """Undo what a test did to WINNOW_* variables; keep torch, once imported, to one thread."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    before = _settings()
    yield
    for name in _settings().keys() - before.keys():
        del ENVIRONMENT[name]
    ENVIRONMENT.update(before)


@pytest.fixture
def free_port() -> int:
    """A loopback port that nobody listened on a moment ago."""
    return ports.free_port()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The superuser's URL of this test process's Postgres, started when first asked for."""
    folder = tmp_path_factory.mktemp("postgres")
    server = Postgres(folder=folder, port=ports.free_port(), password="admin", durable=False)
    with (folder / "log").open("wb") as log, launched(server, log=log):
        yield server.url(database="postgres")


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of this test process's Valkey, started when first asked for."""
    folder = tmp_path_factory.mktemp("valkey")
    server = Valkey(folder=folder, port=ports.free_port(), password="valkey", durable=False)
    with (folder / "log").open("wb") as log, launched(server, log=log):
        yield server.url


@pytest.fixture(scope="session")
def template_database(postgres_server: str) -> Database:
    """A migrated database that is only ever cloned."""
    bootstrap.create_roles(postgres_server, PASSWORDS)
    bootstrap.create_database(postgres_server, TEMPLATE)
    database = databases.on_server(postgres_server, TEMPLATE)
    run.upgrade(database.owner_url)
    return database


@pytest.fixture(scope="module")
def database(
    template_database: Database, postgres_server: str, request: pytest.FixtureRequest
) -> Iterator[Database]:
    """A fresh, migrated, empty database for this test file: commits are allowed."""
    name = re.sub(r"\W+", "_", Path(request.path).stem.lower())
    clone = databases.clone(template_database, f"winnow_{name}")
    bootstrap.create_database(postgres_server, clone.name)  # what a template does not hand on
    yield clone
    databases.drop(clone)
