"""Server-sent events of one job: what is new each second, and nothing held while it waits.

One of the places of async code: a stream lives for as long as its job, and a thread or a
connection for each would be too many. Each look is a short transaction in one of a few threads.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.api.auth import Keyring
from services.api.errors import DATABASE_AWAY, answer_to
from services.api.schemas.jobs import EventAnswer
from services.api.use_cases.follow_job import Look, look
from services.shared.errors import LimitedError, UnauthenticatedError
from services.shared.log import get_logger
from services.shared.settings import settings

log = get_logger(__name__)

LOOK_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
"""Proxies cut a connection on which nothing is said for a minute, some for half of one."""

AWAY_SECONDS = 60.0
"""While Postgres is away a stream waits so long; then the caller may ask another api."""

RETRY_MILLISECONDS = 3000
"""After which a browser connects again."""

LOOKERS = 4
"""Threads, so also connections, that all streams of a process share."""

BUSY_SECONDS = 10.0

STOPPING = threading.Event()
"""Set when the server is told to stop: streams end, for it waits for open answers."""


class Streams:
    """The open streams of one process, counted."""

    def __init__(self) -> None:
        self.open = 0
        self._lookers: CapacityLimiter | None = None

    def lookers(self) -> CapacityLimiter:
        """Return what bounds the threads; made on the event loop that uses it."""
        if self._lookers is None:
            self._lookers = CapacityLimiter(LOOKERS)
        return self._lookers


@dataclass(frozen=True, kw_only=True)
class Follower:
    """Who follows which job, from which event on; `header` is looked at again while it lasts."""

    project_id: UUID
    job_id: UUID
    after: int
    keyring: Keyring
    header: str


class EventStream(Response):
    """The stream as an answer; 429 when this process has as many as it may."""

    def __init__(self, follower: Follower, streams: Streams) -> None:
        super().__init__()
        self._follower = follower
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until the job has ended, the caller has gone, or the server stops."""
        most = settings().limits.event_streams
        if self._streams.open >= most:
            refusal = LimitedError(
                f"This server follows {most} jobs already; ask again, or read the list.",
                retry_after=BUSY_SECONDS,
                code="TOO_MANY_STREAMS",
            )
            await answer_to(refusal)(scope, receive, send)
            return
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Accept"}
        body = StreamingResponse(
            _messages(self._follower, self._streams.lookers()),
            media_type="text/event-stream",
            headers=headers,
        )
        self._streams.open += 1
        try:
            await body(scope, receive, send)
        finally:
            self._streams.open -= 1


async def _messages(follower: Follower, lookers: CapacityLimiter) -> AsyncIterator[bytes]:
    """Yield the messages; what was sent before is never sent again on this stream."""
    yield b"retry: %d\n\n" % RETRY_MILLISECONDS
    teller = _Teller(follower.after)
    answered = time.monotonic()
    while not STOPPING.is_set():
        try:
            seen = await _look(follower, teller.after, lookers)
        except UnauthenticatedError:
            yield message("closed", {"code": "UNAUTHENTICATED", "detail": "The key has ended."})
            return
        except DATABASE_AWAY as error:
            log.warning("stream_waits", error=type(error).__name__)
            if time.monotonic() - answered > AWAY_SECONDS:
                return
            seen = None
        else:
            answered = time.monotonic()
        if told := teller.tell(seen):
            yield told
        if seen is not None and seen.ended:
            return
        if seen is None or not seen.more:
            await asyncio.sleep(LOOK_SECONDS)


class _Teller:
    """Turns looks into messages, and knows what it has told."""

    def __init__(self, after: int) -> None:
        self.after = after
        self._progress: dict[str, Any] = {}
        self._spoke = time.monotonic()

    def tell(self, seen: Look | None) -> bytes:
        """Return what is new, nothing where nothing is; a heartbeat after a long silence."""
        told = b"" if seen is None else b"".join(self._news(seen))
        if not told and time.monotonic() - self._spoke >= HEARTBEAT_SECONDS:
            told = b": still here\n\n"
        if told:
            self._spoke = time.monotonic()
        return told

    def _news(self, seen: Look) -> Iterator[bytes]:
        for event in seen.events:
            self.after = event.seq
            yield message(event.kind, _told(event), ident=str(self.after))
        if seen.ended:
            yield message("end", {"state": seen.state}, ident=f"{self.after}/end")
            return
        # the time that is left changes with every look: that alone is no news
        timeless = {name: value for name, value in seen.progress.items() if name != "eta_seconds"}
        if not seen.more and timeless != self._progress:
            self._progress = timeless
            yield message("progress", seen.progress)


async def _look(follower: Follower, after: int, lookers: CapacityLimiter) -> Look:
    """Return the job as it is now; UnauthenticatedError once the key opens nothing any more."""
    if follower.keyring.remembered(follower.header) is None:
        await to_thread.run_sync(follower.keyring.look_up, follower.header, limiter=lookers)
    work = partial(look, follower.project_id, follower.job_id, after=after)
    return await to_thread.run_sync(work, limiter=lookers)


def message(kind: str, data: Mapping[str, Any], *, ident: str | None = None) -> bytes:
    """Return one message as the WHATWG's event stream format has it; JSON has no line breaks."""
    head = b"" if ident is None else b"id: %s\n" % ident.encode()
    return head + b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps(data))


def _told(event: object) -> dict[str, Any]:
    return EventAnswer.model_validate(event).model_dump(mode="json")
