"""Readiness names each dependency, and answers in time when every one of them hangs."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from services.api import asking, probes, readiness
from services.api.probes import Finding, Probe
from services.api.readiness import Readiness, Told, sum_up
from services.shared import presence
from services.shared.presence import Presence
from services.shared.queues import Queue
from services.shared.settings import settings
from tests.api.conftest import Api

pytestmark = pytest.mark.stack


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """Accept connections on a loopback port and answer each with these bytes, or never."""
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            if answer is not None:
                connection.recv(4096)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    for connection in held:
        connection.close()


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Set WINNOW_* variables for one test."""

    def change(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"WINNOW_{name}", value)
        settings.cache_clear()

    yield change
    monkeypatch.undo()
    settings.cache_clear()


def test_a_running_api_names_each_dependency_with_how_long_it_took(
    api: Api, valkey_url: str
) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        client.delete(*(f"winnow:taken:{queue.value}" for queue in Queue))  # others' workers
        client.set("winnow:taken:rate", 1, ex=30)
    with api.as_(None) as nobody:
        assert nobody.get("/health/live").json() == {"status": "ok"}
        ready = nobody.get("/health/ready")
    with redis.Redis.from_url(valkey_url) as client:
        client.delete("winnow:taken:rate")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    found = ready.json()["dependencies"]
    assert {name: one["status"] for name, one in found.items()} == {
        "postgres": "ok",
        "lists": "ok",
        "valkey": "ok",
        "workers": "degraded",
        "llm": "away",  # nothing listens on its port, and it is not allowed
        "embedder": "away",
        "scorer": "not configured",
        "spool": "ok",
        "artifacts": "ok",
    }
    assert found["workers"]["detail"] == "No worker takes from: ingest, light, train."
    assert found["spool"]["detail"].endswith("GiB free")
    assert all(one["milliseconds"] >= 0 for one in found.values())


def test_it_answers_within_two_seconds_when_everything_hangs(configure: object) -> None:
    with listening(None) as port:
        url = f"127.0.0.1:{port}"
        configure(  # type: ignore[operator]
            DATABASE_URL=f"postgresql+psycopg://winnow_app:x@{url}/x",
            REDIS_URL=f"redis://:x@{url}/0",
            LLM__BASE_URL=f"http://{url}/v1",
            EMBEDDER__BASE_URL=f"http://{url}/v1",
            OUTGOING_ALLOW=url,
        )
        hung = {
            "postgres": Probe(probes.postgres),
            "valkey": Probe(probes.valkey),
            "workers": Probe(probes.workers),
            "llm": Probe(lambda: probes.endpoint(settings().llm.base_url, "/models")),
            "lists": Probe(lambda: Finding("ok")),
            "disk": Probe(lambda: time.sleep(30) or Finding("ok")),  # type: ignore[func-returns-value]
        }
        before = threading.active_count()
        looking = Readiness(hung)
        for _ in range(3):
            begun = time.monotonic()
            found = looking.look()
            # the promise is 2 s; a busy machine may lag, a hang would take 30
            assert time.monotonic() - begun < 6
        assert threading.active_count() - before <= len(hung)
    away = {name for name, told in found.items() if told.status == "away"}
    assert away == {"postgres", "valkey", "workers", "llm", "disk"}
    assert found["disk"] == Told("away", "no answer within 1.8 s", None)
    assert found["lists"].status == "ok"
    assert sum_up(found) == "unavailable"


def test_who_answered_in_time_is_told_well_though_another_was_waited_for_longer() -> None:
    given_up, asked = threading.Event(), []

    def hanging() -> Finding:
        given_up.wait(60)
        return Finding("ok")

    def slow() -> Finding:
        asked.append(1)
        time.sleep(0.3)  # by the time that the other is given up, this answer is no fresh one
        return Finding("ok")

    both = {"postgres": Probe(hanging), "valkey": Probe(slow, fresh_seconds=0.1)}
    found = Readiness(both).look()
    given_up.set()
    assert found["postgres"] == Told("away", "no answer within 1.8 s", None)
    assert (found["valkey"].status, len(asked)) == ("ok", 1)


def test_an_answer_stands_for_a_second_however_many_ask() -> None:
    asked: list[int] = []

    def ask() -> Finding:
        asked.append(1)
        time.sleep(0.1)
        return Finding("ok")

    looking = Readiness({"postgres": Probe(ask, fresh_seconds=60)})
    threads = [threading.Thread(target=looking.look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert looking.look()["postgres"].status == "ok"
    assert len(asked) == 1


def test_a_question_that_is_never_answered_is_asked_again_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    never, asked = threading.Event(), []

    def ask() -> Finding:
        asked.append(1)
        if len(asked) == 1:
            never.wait(60)
        return Finding("ok")

    monkeypatch.setattr(readiness, "DEADLINE_SECONDS", 0.2)
    looking = Readiness({"postgres": Probe(ask)})
    assert looking.look()["postgres"].status == "away"
    assert looking.look()["postgres"].status == "away"
    monkeypatch.setattr(asking, "GIVEN_UP_SECONDS", 0.0)
    monkeypatch.setattr(readiness, "DEADLINE_SECONDS", 20)
    assert looking.look()["postgres"].status == "ok"
    never.set()
    assert len(asked) == 2


def test_a_probe_with_a_bug_is_told_as_away_and_hides_no_other() -> None:
    def broken() -> Finding:
        raise ZeroDivisionError

    found = Readiness({"valkey": Probe(broken), "lists": Probe(lambda: Finding("ok"))}).look()
    assert (found["valkey"].status, found["valkey"].detail) == ("away", "ZeroDivisionError")
    assert found["lists"].status == "ok"


@pytest.mark.parametrize(
    ("answer", "status", "detail"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "ok", None),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", "ok", None),
        (b"HTTP/1.0 503 Busy\r\n\r\n", "degraded", "HTTP status 503"),
        (b"SSH-2.0-OpenSSH\r\n", "away", "What answers there speaks no HTTP."),
        (b"", "away", None),
    ],
)
def test_an_endpoint_is_well_if_it_speaks_http_whatever_it_says_of_the_key(
    configure: object, answer: bytes, status: str, detail: str | None
) -> None:
    with listening(answer) as port:
        configure(OUTGOING_ALLOW=f"127.0.0.1:{port}")  # type: ignore[operator]
        found = probes.endpoint(f"http://127.0.0.1:{port}/v1", "/models")
    assert found.status == status
    assert detail in {None, found.detail}


def test_a_private_address_that_is_not_listed_is_not_called() -> None:
    with listening(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        found = probes.endpoint(f"http://127.0.0.1:{port}/v1", "/models")
    assert found.status == "away"
    assert found.detail is not None
    assert found.detail.endswith("not listed. See WINNOW_OUTGOING_ALLOW.")


def test_valkey_is_asked_under_its_password(configure: object, valkey_url: str) -> None:
    configure(REDIS_URL=valkey_url)  # type: ignore[operator]
    assert probes.valkey() == Finding("ok")
    configure(REDIS_URL=valkey_url.replace(":valkey@", ":wrong@"))  # type: ignore[operator]
    refused = probes.valkey()
    assert (refused.status, refused.detail) == (
        "away",
        "It refuses the password of WINNOW_REDIS_URL.",
    )


def test_a_worker_that_takes_from_a_queue_is_seen_until_it_is_silent(
    configure: object, valkey_url: str
) -> None:
    configure(REDIS_URL=valkey_url)  # type: ignore[operator]
    with presence.connect() as client:
        client.delete(*(f"winnow:taken:{queue.value}" for queue in Queue))  # others' workers
        assert presence.missing(client) == list(Queue)
        assert probes.workers().status == "away"
        with Presence((Queue.TRAIN, Queue.LIGHT)) as present:
            present.begin()
            until = time.monotonic() + 20
            while presence.missing(client) != [Queue.INGEST, Queue.RATE]:
                assert time.monotonic() < until
                time.sleep(0.02)
        assert 0 < client.ttl("winnow:taken:train") <= presence.GONE_SECONDS
        client.delete("winnow:taken:train", "winnow:taken:light")


def test_a_disk_is_told_with_its_room_and_with_little_of_it_as_degraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert probes.disk(tmp_path / "not" / "yet").status == "ok"
    assert probes.disk(None) == Finding("not configured")
    monkeypatch.setattr(probes, "ROOM_BYTES", 2**70)
    assert probes.disk(tmp_path).status == "degraded"


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ({}, "ok"),
        ({"llm": "not configured"}, "ok"),
        ({"valkey": "away", "lists": "degraded"}, "degraded"),
        ({"postgres": "away"}, "unavailable"),
        ({"lists": "away"}, "unavailable"),
    ],
)
def test_only_postgres_and_lists_make_it_unavailable(found: dict[str, str], status: str) -> None:
    words = {"postgres": "ok", "lists": "ok", "valkey": "ok", **found}
    assert sum_up({name: Told(word, None, None) for name, word in words.items()}) == status  # type: ignore[arg-type]
