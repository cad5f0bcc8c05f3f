"""Embeds texts side by side, several texts a call; a vector is kept as soon as it is there."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from services.llm_worker.ask import ABOUT_THE_QUESTION, UNPARSABLE_TRIES
from services.llm_worker.embed_keeping import EmbedKeeper, Text
from services.llm_worker.endpoints import Embedder
from services.llm_worker.limiter import StoppedError
from services.llm_worker.retry import PASSING
from services.llm_worker.snapshot import Texts
from services.shared.errors import UnavailableError, WinnowError
from services.shared.llm.protocol import EMBEDDED_CHARS, EmbedReply, EmbedRequest
from services.shared.log import get_logger
from services.shared.settings import settings

log = get_logger(__name__)

PER_CALL = 64
"""Texts of one call."""

AWAY_SECONDS = 15.0
"""Until the next try while the endpoint is away; the stage keeps its lease meanwhile."""


class EmbedderRefusedError(WinnowError):
    """The endpoint refuses whatever it is sent: key, model or path are wrong."""

    code = "EMBEDDER_REFUSED"


class Embedding:
    """The embedding of one snapshot on the event loop.

    `check` is called before each call and in every wait, and raises when there is to be none.
    """

    def __init__(
        self, texts: Texts, embedder: Embedder, keeper: EmbedKeeper, check: Callable[[], None]
    ) -> None:
        self._texts = texts
        self._embedder = embedder
        self._keeper = keeper
        self._check = check
        self._groups: deque[Sequence[Text]] = deque()

    async def run(self) -> None:
        """Embed chunk by chunk; what is kept stays kept, whatever is raised."""
        for chunk in self._texts.chunks():
            missing = await asyncio.to_thread(self._keeper.missing, chunk)
            starts = range(0, len(missing), PER_CALL)
            self._groups.extend(missing[start : start + PER_CALL] for start in starts)
            width = min(self._embedder.in_flight, len(self._groups))
            await _all_or_none([asyncio.create_task(self._work()) for _ in range(width)])

    async def _work(self) -> None:
        while self._groups:
            await self._embed(self._groups.popleft())

    async def _embed(self, group: Sequence[Text]) -> None:
        for _ in range(settings().stage_attempts):
            reply = await self._ask(group)
            while reply.status in PASSING and not self._keeper.embedded:
                await self._wait(reply)
                reply = await self._ask(group)
            if reply.status not in PASSING:
                await self._take(group, reply)
                return
            await self._wait(reply)
        raise UnavailableError("The embedder's endpoint")

    async def _ask(self, group: Sequence[Text]) -> EmbedReply:
        """Return the last reply, kept together with every attempt before it."""
        texts = [text[:EMBEDDED_CHARS] for _, text in group]
        request = EmbedRequest(texts=texts, model=self._keeper.model)
        made: list[EmbedReply] = []
        for _ in range(UNPARSABLE_TRIES):
            try:
                reply = await self._embedder.retrier.call(
                    lambda: self._embedder.client.embed(request), made, self._stopped
                )
            except StoppedError:
                await asyncio.to_thread(self._keeper.keep, group, [], made)
                self._check()  # says why
                raise
            if reply.status != "unparsable":
                break
        await asyncio.to_thread(self._keeper.keep, group, reply.vectors, made)
        return reply

    def _stopped(self) -> bool:
        try:
            self._check()
        except WinnowError:
            return True
        return False

    async def _take(self, group: Sequence[Text], reply: EmbedReply) -> None:
        """Search a group that was refused for the text that is to blame; leave that one out."""
        if reply.status == "ok":
            return
        if reply.status == "refused" and reply.http_status not in ABOUT_THE_QUESTION:
            raise EmbedderRefusedError(_refusal(reply))
        if len(group) > 1:
            half = len(group) // 2
            await self._embed(group[:half])
            await self._embed(group[half:])
        elif self._keeper.embedded:
            self._keeper.leave_out()
        else:
            raise EmbedderRefusedError(_refusal(reply))

    async def _wait(self, reply: EmbedReply) -> None:
        log.warning("embedder_away", status=reply.status, retry_seconds=AWAY_SECONDS)
        for _ in range(int(AWAY_SECONDS)):
            self._check()
            await asyncio.sleep(1)


async def _all_or_none(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for all; the first error ends the others and is raised as it is."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _refusal(reply: EmbedReply) -> str:
    said = "no vectors" if reply.http_status == 200 else f"HTTP status {reply.http_status}"
    return (
        f"The embedder's endpoint answered with {said}; check WINNOW_EMBEDDER__BASE_URL, "
        "WINNOW_EMBEDDER__API_KEY and WINNOW_EMBEDDER__MODEL."
    )
