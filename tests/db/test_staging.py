"""What a killed Postgres finds of an upload that was being copied in."""

import time
from pathlib import Path

import psutil
import psycopg
import pytest

from migrations import bootstrap, run
from tests import databases
from tests.databases import PASSWORDS, libpq
from winnow.embedded import ports
from winnow.embedded.launch import launched
from winnow.embedded.postgres import Postgres

pytestmark = pytest.mark.stack


def test_a_postgres_that_was_killed_while_rows_came_in_recovers_at_once(tmp_path: Path) -> None:
    server = Postgres(folder=tmp_path, port=ports.free_port(), password="admin", durable=False)
    admin = server.url(database="postgres")
    with (tmp_path / "log").open("wb") as log:
        with launched(server, log=log) as pid:
            bootstrap.create_roles(admin, PASSWORDS)
            bootstrap.create_database(admin, "winnow")
            database = databases.on_server(admin, "winnow")
            run.upgrade(database.owner_url)
            with pytest.raises(psycopg.OperationalError), _copying(database.ingest_url):
                backends = psutil.Process(pid).children(recursive=True)
                time.sleep(0.5)  # the walwriter has written what it will
                psutil.Process(pid).kill()
                psutil.wait_procs(backends, timeout=20)
        with launched(server, log=log), psycopg.connect(libpq(database.ingest_url)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def _copying(url: str) -> psycopg.Connection:
    connection = psycopg.connect(libpq(url))
    name = connection.execute("SELECT staging.open(gen_random_uuid(), 'users')").fetchone()
    assert name is not None
    connection.execute(f"INSERT INTO staging.{name[0]} VALUES (1, 'u', 'a text', '{{}}')")
    return connection
