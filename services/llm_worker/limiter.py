"""How many calls may be under way at an endpoint, and until when none may begin."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

LONGEST_PAUSE = 300.0
"""Seconds of a Retry-After that are obeyed; who asks for more is asked again."""

LOOK_SECONDS = 0.25
"""How soon a wait notices that it is to end: a cancelled run must not sit out a pause."""

Stopped = Callable[[], bool]


class StoppedError(Exception):
    """No attempt may begin any more."""


class Limiter:
    """`async with limiter.slot(stopped):` around each attempt; one per endpoint and process."""

    def __init__(self, in_flight: int) -> None:
        self._slots = asyncio.Semaphore(in_flight)
        self._open_at = 0.0

    def pause(self, seconds: float) -> None:
        """Let no attempt begin for so long; a longer pause that runs already stays."""
        until = time.monotonic() + min(seconds, LONGEST_PAUSE)
        self._open_at = max(self._open_at, until)

    @asynccontextmanager
    async def slot(self, stopped: Stopped) -> AsyncIterator[None]:
        """Hold one of the calls under way; StoppedError instead once `stopped` says so."""
        async with self._slots:
            while (left := self._open_at - time.monotonic()) > 0 and not stopped():
                await wait(left, stopped)  # and look again: the pause may have grown
            if stopped():
                raise StoppedError
            yield


async def wait(seconds: float, stopped: Stopped) -> None:
    """Sleep for so long, or until `stopped` says so."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not stopped():  # noqa: ASYNC110 - no event
        await asyncio.sleep(min(left, LOOK_SECONDS))
