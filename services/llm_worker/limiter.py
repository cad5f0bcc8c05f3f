"""How many calls may be under way at an endpoint, and until when none may begin."""

import asyncio
import time
from types import TracebackType

LONGEST_PAUSE = 300.0
"""Seconds of a Retry-After that are obeyed; who asks for more is asked again."""


class Limiter:
    """`async with limiter:` around each attempt; one per endpoint and process."""

    def __init__(self, in_flight: int) -> None:
        self._slots = asyncio.Semaphore(in_flight)
        self._open_at = 0.0

    def pause(self, seconds: float) -> None:
        """Let no attempt begin for so long; a longer pause that runs already stays."""
        until = time.monotonic() + min(seconds, LONGEST_PAUSE)
        self._open_at = max(self._open_at, until)

    async def __aenter__(self) -> None:
        await self._slots.acquire()
        try:
            # again after each sleep: the pause may have grown
            while (left := self._open_at - time.monotonic()) > 0:  # noqa: ASYNC110 - no event
                await asyncio.sleep(left)
        except BaseException:
            self._slots.release()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._slots.release()
