"""The embedded servers, real ones: they start as root or not, keep strangers out, and recover."""

import os
import signal
from pathlib import Path

import psycopg
import pytest
import redis

from tests.databases import libpq
from winnow.embedded import ports
from winnow.embedded.launch import launched
from winnow.embedded.plain_user import command_prefix
from winnow.embedded.postgres import Postgres
from winnow.embedded.valkey import Valkey
from winnow.errors import PortTakenError, ProcessFailedError, RootRefusedError

pytestmark = pytest.mark.stack


def select(url: str, query: str) -> object:
    with psycopg.connect(libpq(url)) as connection:
        row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]


def test_postgres_is_version_18_in_utf8_and_sorts_by_code_point(postgres_server: str) -> None:
    assert str(select(postgres_server, "SHOW server_version")).startswith("18.")
    assert select(postgres_server, "SHOW server_encoding") == "UTF8"
    assert select(postgres_server, "SELECT 'Z' < 'a'") is True


def test_postgres_listens_on_loopback_only_and_leaves_no_socket_file(postgres_server: str) -> None:
    assert select(postgres_server, "SHOW listen_addresses") == "127.0.0.1"
    assert select(postgres_server, "SHOW unix_socket_directories") == ""


def test_postgres_refuses_a_wrong_password(postgres_server: str) -> None:
    wrong = libpq(postgres_server).replace(":admin@", ":guess@")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_what_postgres_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    log = (tmp_path / "log").open("wb")
    server = Postgres(folder=tmp_path / "pg", port=ports.free_port(), password="p")
    url = server.url(database="postgres")
    with log, launched(server, log=log) as pid:
        with psycopg.connect(libpq(url)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with launched(server, log=log):
            assert select(url, "SELECT n FROM kept") == 7


def test_a_lock_whose_pid_now_belongs_to_a_stranger_is_cleared(tmp_path: Path) -> None:
    server = Postgres(folder=tmp_path / "pg", port=ports.free_port(), password="p", durable=False)
    server.prepare()
    stranger = os.getppid()
    (server.data / "postmaster.pid").write_text(f"{stranger}\n{server.data}\n1\n{server.port}\n")
    with (tmp_path / "log").open("wb") as log, launched(server, log=log):
        assert select(server.url(database="postgres"), "SELECT 1") == 1


def test_valkey_wants_its_password_and_never_evicts(valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    stranger = redis.Redis.from_url(valkey_url.replace(":valkey@", ":guess@"))
    with stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_valkey_keeps_its_queue_over_a_restart(tmp_path: Path) -> None:
    server = Valkey(folder=tmp_path / "valkey", port=ports.free_port(), password="v")
    with (tmp_path / "log").open("wb") as log:
        for expected in (1, 2):
            with launched(server, log=log), redis.Redis.from_url(server.url) as client:
                assert client.rpush("queue", "message") == expected
    assert (server.folder / "valkey.conf").stat().st_mode & 0o077 == 0


def test_a_server_that_dies_at_once_is_told_by_name(tmp_path: Path, free_port: int) -> None:
    server = Valkey(folder=tmp_path / "valkey", port=free_port, password="two words")
    with (
        (tmp_path / "log").open("wb") as log,
        pytest.raises(ProcessFailedError, match="Valkey ended with exit code 1"),
        launched(server, log=log),
    ):
        pass


def test_a_taken_port_is_told_by_number_and_purpose(valkey_url: str) -> None:
    port = int(valkey_url.rsplit(":", 1)[1].removesuffix("/0"))
    with pytest.raises(PortTakenError, match=f"Port {port}, meant for api, is in use"):
        ports.require_free(port, name="api")


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user needs no prefix")
def test_root_without_user_namespaces_becomes_nobody_or_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    refusal = programs / "unshare"
    refusal.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    refusal.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    closed = tmp_path / "closed" / "pg"
    closed.mkdir(parents=True)
    tmp_path.chmod(0o700)
    with pytest.raises(RootRefusedError, match=r"refuses to run as root.*ordinary user"):
        command_prefix(closed, program=Path("/bin/true"))
