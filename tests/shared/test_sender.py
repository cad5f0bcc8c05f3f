"""Sending a message while Valkey is away, comes back, or has forgotten everything."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis
from kombu.exceptions import OperationalError

from services.shared import broker
from services.shared.broker import Message
from services.shared.celery import close_sender
from services.shared.queues import Queue, Task
from services.shared.settings import settings
from winnow.embedded import ports
from winnow.embedded.launch import launched
from winnow.embedded.valkey import Valkey

MESSAGE = Message(Task.IMPORT, "an-id", "a-project", None)


@pytest.fixture
def broker_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Lets this process send to an address."""

    def point(url: str) -> None:
        monkeypatch.setenv("WINNOW_REDIS_URL", url)
        settings.cache_clear()
        close_sender()

    yield point
    close_sender()
    settings.cache_clear()


def test_a_broker_that_is_away_is_tried_once(broker_at: Callable[[str], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked: list[int] = []

        def hang_up() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                asked.append(connection.fileno())
                connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        broker_at(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        with pytest.raises(OperationalError):
            broker.send(MESSAGE)
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    assert len(asked) == 1


@pytest.mark.stack
def test_the_first_message_after_a_restart_or_a_wipe_arrives(
    broker_at: Callable[[str], None], tmp_path: Path
) -> None:
    server = Valkey(folder=tmp_path, port=ports.free_port(), password="valkey", durable=False)
    broker_at(server.url)
    with (tmp_path / "log").open("wb") as log:
        for _ in range(2):
            with launched(server, log=log), redis.Redis.from_url(server.url) as valkey:
                broker.send(MESSAGE)
                assert valkey.llen(Queue.INGEST.value) == 1
                valkey.flushall()
                broker.send(MESSAGE)
                assert valkey.llen(Queue.INGEST.value) == 1


@pytest.mark.stack
def test_a_closed_sender_leaves_no_socket_open(
    broker_at: Callable[[str], None], valkey_url: str
) -> None:
    broker_at(valkey_url)
    for _ in range(2):  # the second goes through connections of its own
        broker.send(MESSAGE)
        port = urlsplit(valkey_url).port
        assert _links_to(port)
        close_sender()
        assert not _links_to(port)


def _links_to(port: int | None) -> int:
    links = psutil.Process().net_connections(kind="tcp4")
    return sum(1 for link in links if link.raddr and link.raddr.port == port)
