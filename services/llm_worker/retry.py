"""What is worth another attempt, how many, and how long to wait before it."""

import random
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from services.llm_worker.limiter import Limiter, Stopped, wait
from services.shared.llm.protocol import CallStatus

PASSING: frozenset[CallStatus] = frozenset(
    {"rate_limited", "server_error", "timeout", "connection"}
)
"""Troubles of the moment: 408, 409, 429, 5xx, and a connection that fails."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 20.0  # seconds


class Reply(Protocol):
    """What a retry reads of a reply."""

    @property
    def status(self) -> CallStatus:
        """Return how the attempt ended."""

    @property
    def retry_after(self) -> float | None:
        """Return the seconds that the endpoint asked for."""


R = TypeVar("R", bound=Reply)


def backoff(attempts: int) -> float:
    """Return the seconds before the next attempt: full jitter under a doubling ceiling."""
    ceiling = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempts - 1))
    return random.uniform(0, ceiling)  # noqa: S311 - spreads calls, guards nothing


class Retrier:
    """Repeats attempts at one endpoint within the cap."""

    def __init__(self, limiter: Limiter, *, max_attempts: int) -> None:
        self._limiter = limiter
        self.max_attempts = max_attempts

    async def once(self, attempt: Callable[[], Awaitable[R]], stopped: Stopped) -> R:
        """Return the reply of one attempt; StoppedError instead once `stopped` says so."""
        async with self._limiter.slot(stopped):
            return await attempt()

    async def call(self, attempt: Callable[[], Awaitable[R]], made: list[R], stopped: Stopped) -> R:
        """Return the first reply that is no passing trouble, or the last that the cap allows.

        Every reply is added to `made`, which counts against the cap. No attempt begins once
        `stopped` says so: then StoppedError, unless a reply is there to be returned.
        """
        while True:
            reply = await self.once(attempt, stopped)
            made.append(reply)
            if reply.status not in PASSING or len(made) >= self.max_attempts or stopped():
                return reply
            if reply.retry_after is not None:
                self._limiter.pause(reply.retry_after)
            await wait(backoff(len(made)), stopped)
