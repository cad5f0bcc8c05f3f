"""Whether anybody takes from a queue: each worker says so every few seconds, in Valkey.

A key a queue with a time to live; nothing depends on it but what people are shown.
"""

import threading
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self, cast

import redis
from celery.signals import worker_ready
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from services.shared.log import get_logger
from services.shared.queues import Queue
from services.shared.settings import settings

log = get_logger(__name__)

EVERY_SECONDS = 10.0
GONE_SECONDS = 30
"""After which a worker that has not spoken counts as gone."""

TIMEOUT_SECONDS = 1.0


def connect() -> redis.Redis:
    """Return a client of Valkey that gives up within a second or two, and never tries again."""
    return redis.Redis.from_url(
        settings().require("redis_url"),
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def missing(client: redis.Redis, queues: Iterable[Queue] = Queue) -> list[Queue]:
    """Return the queues from which nobody takes; RedisError when Valkey is away."""
    asked = list(queues)
    said = cast("list[bytes | None]", client.mget([_key(queue) for queue in asked]))
    return [queue for queue, value in zip(asked, said, strict=True) if value is None]


class Presence:
    """Says in a thread, from `begin` to the with block's end, that this process takes messages."""

    def __init__(self, queues: Sequence[Queue]) -> None:
        self._queues = queues
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def __enter__(self) -> Self:
        worker_ready.connect(self.begin, weak=False)
        return self

    def begin(self, **_: object) -> None:
        """Speak from now on: the worker has its connection and takes messages."""
        if not self._thread.is_alive():
            self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        worker_ready.disconnect(self.begin)
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * TIMEOUT_SECONDS)

    def _run(self) -> None:
        with connect() as client:
            while not self._stop.is_set():
                try:
                    for queue in self._queues:
                        client.set(_key(queue), 1, ex=GONE_SECONDS)
                except (RedisError, OSError) as error:
                    log.debug("presence_not_told", error=type(error).__name__)
                self._stop.wait(EVERY_SECONDS)


def _key(queue: Queue) -> str:
    return f"winnow:taken:{queue.value}"
