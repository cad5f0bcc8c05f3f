"""A batch's questions, asked side by side and committed as the answers come in."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum

from sqlalchemy.exc import DBAPIError

from services.llm_worker import away
from services.llm_worker.endpoints import Rater
from services.llm_worker.keeping import Asked, Keeper
from services.llm_worker.limiter import StoppedError
from services.llm_worker.questions import PairQuestion
from services.shared.db.repos.jobs import Wish
from services.shared.llm.protocol import ChatReply
from services.shared.log import get_logger
from services.shared.settings import settings

log = get_logger(__name__)

DATABASE_PATIENCE = 60.0
"""Seconds for which answers are held while Postgres is away; then they are given up."""


class Stop(Enum):
    """Why a batch ends before its last question."""

    CANCELLED = "cancelled"
    PAUSED = "paused"
    SHUTDOWN = "shutdown"
    AWAY = "away"
    DENIED = "denied"


_STOPS = {"away": Stop.AWAY, "denied": Stop.DENIED}
_WISHES = {Wish.STOP: Stop.CANCELLED, Wish.WAIT: Stop.PAUSED}

Interrupted = Callable[[], Stop | None]


class Rating:
    """One batch under way on the event loop."""

    def __init__(
        self,
        questions: Sequence[PairQuestion],
        rater: Rater,
        keeper: Keeper,
        interrupted: Interrupted,
    ) -> None:
        self._left = deque(questions)
        self._rater = rater
        self._keeper = keeper
        self._interrupted = interrupted
        self._done: list[Asked] = []
        self._failing_since: float | None = None
        self.stop: Stop | None = None
        self.trouble: ChatReply | None = None  # the reply that ended it before its time
        self.answered = 0
        self.blamed = False  # the endpoint is there: a question of ours is its trouble
        self._model = questions[0].model

    async def run(self) -> None:
        """Ask all, or until `stop` is set; whatever was answered is committed.

        Raises LeaseLostError, with nothing written after it, when the batch is another's.
        """
        bell = self._rater.window.bell()
        width = min(self._rater.in_flight, len(self._left))
        askers = asyncio.gather(*(self._ask_on() for _ in range(width)))
        try:
            while not askers.done():
                await _either(askers, bell)
                bell.clear()
                self.stop = self.stop or self._interrupted()
                await self._flush()
            askers.result()
            while self._done:  # Postgres was away
                await self._flush()
            if self.stop is Stop.AWAY:
                await self._judge()
        finally:
            await _cancelled(askers)
            self._rater.window.mute(bell)
            self._rater.window.committed(len(self._done))

    async def _ask_on(self) -> None:
        window = self._rater.window
        while self._left and self.stop is None:
            await window.take()
            if not self._left or self.stop is not None:
                window.unused()
                return
            question = self._left.popleft()
            try:
                outcome = await self._rater.asker.ask(
                    question.request(), self._stopped, reference=question.reference()
                )
            except BaseException:
                window.unused()
                raise
            self._note(Asked(question, outcome))

    def _note(self, asked: Asked) -> None:
        self._done.append(asked)
        self._rater.window.answered()
        self.answered += asked.outcome.ending in {"answered", "unparsed"}
        stop = _STOPS.get(asked.outcome.ending)
        if stop is not None and self.stop is None:
            self.stop, self.trouble = stop, asked.outcome.replies[-1]

    async def _flush(self) -> None:
        asked, self._done = self._done, []
        if not asked:
            return
        try:
            wish = await asyncio.to_thread(self._keeper.keep, asked)
        except DBAPIError as error:
            self._done = asked + self._done
            await self._wait_for_database(error)
        except BaseException:
            self._done = asked + self._done
            raise
        else:
            self._failing_since = None
            self._rater.window.committed(len(asked))
            self.stop = self.stop or _WISHES.get(wish)

    async def _judge(self) -> None:
        """Find out whether the endpoint is away or a question of the batch is to blame.

        An endpoint that says 429 has said so itself.
        """
        if self.trouble is None or self.trouble.status == "rate_limited":
            return
        with contextlib.suppress(StoppedError):
            reply = await away.knock_at_llm(
                self._rater, self._model, lambda: self._interrupted() is not None
            )
            await asyncio.to_thread(self._keeper.count, reply)
            self.blamed = not away.is_away(reply)

    async def _wait_for_database(self, error: DBAPIError) -> None:
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        if now - self._failing_since > DATABASE_PATIENCE:
            raise error
        log.warning("answers_held", answers=len(self._done), error=type(error).__name__)
        await asyncio.sleep(settings().flush_seconds)

    def _stopped(self) -> bool:
        return self.stop is not None


async def _either(askers: asyncio.Future[list[None]], bell: asyncio.Event) -> None:
    """Wait until the askers are through, the bell rings, or it is time."""
    ring = asyncio.ensure_future(bell.wait())
    waited: set[asyncio.Future[object]] = {askers, ring}  # type: ignore[arg-type]
    try:
        await asyncio.wait(
            waited, timeout=settings().flush_seconds, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        ring.cancel()


async def _cancelled(askers: asyncio.Future[list[None]]) -> None:
    askers.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await askers
