"""One question, asked until it is answered, refused, or has no attempts left."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from services.llm_worker.formats import LADDER, Formats
from services.llm_worker.limiter import Stopped, StoppedError
from services.llm_worker.retry import PASSING, Retrier
from services.shared.errors import UnparsableReplyError
from services.shared.llm.prompts import Answer, Message, parse, response_format
from services.shared.llm.protocol import ChatReply, ChatRequest, LlmClient

UNPARSABLE_TRIES = 3
"""Replies that are no answer before the question is recorded as unparsed."""

ABOUT_THE_QUESTION = {400, 413, 415, 422}
"""Refusals that another question may not meet: too long, or against a content policy."""

Ending = Literal["answered", "unparsed", "denied", "away", "stopped"]


@dataclass(frozen=True)
class Outcome:
    """What became of a question, with every attempt that was made at it.

    `denied` means that no question fares better (key, model, path, payment); `away` that the cap
    of attempts met passing troubles only.
    """

    ending: Ending
    replies: Sequence[ChatReply]
    answer: Answer | None = None


def request_for(
    messages: Sequence[Message], *, model: str, reference: str | None = None
) -> ChatRequest:
    """Return the request as wished for; its parameters are part of the cache key."""
    wished = response_format(referenced=reference is not None)
    return ChatRequest(messages=messages, model=model, response_format=wished)


class Asker:
    """Asks one endpoint; one per process, so that all batches share its limits."""

    def __init__(self, client: LlmClient, retrier: Retrier, formats: Formats) -> None:
        self._client = client
        self._retrier = retrier
        self._formats = formats

    async def ask(
        self, request: ChatRequest, stopped: Stopped, *, reference: str | None = None
    ) -> Outcome:
        """Return the outcome; a reply counts only if it parses, an attempt always.

        With a `reference`, only a reply that carries it is one to this question.
        """
        replies: list[ChatReply] = []
        try:
            return await self._climb(request, replies, stopped, reference)
        except StoppedError:
            return Outcome("stopped", replies)

    async def _climb(
        self,
        request: ChatRequest,
        replies: list[ChatReply],
        stopped: Stopped,
        reference: str | None,
    ) -> Outcome:
        rung: int | None = self._formats.start()
        garbled = 0
        while rung is not None:
            reply = await self._attempt(request, rung, replies, stopped)
            if reply.status == "refused":
                rung = self._formats.next(rung, reply)
                continue
            if reply.status in PASSING:
                return Outcome("stopped" if stopped() else "away", replies)
            answer = _parsed(reply, reference)
            if answer is not None:
                self._formats.answered(rung)
                return Outcome("answered", replies, answer)
            replies[-1] = replace(reply, status="unparsable")
            garbled += 1
            if garbled == UNPARSABLE_TRIES or len(replies) >= self._retrier.max_attempts:
                return Outcome("unparsed", replies)
            if stopped():
                return Outcome("stopped", replies)
        return Outcome(self._refusal(replies[-1]), replies)

    async def _attempt(
        self, request: ChatRequest, rung: int, replies: list[ChatReply], stopped: Stopped
    ) -> ChatReply:
        shaped = replace(request, response_format=LADDER[rung]) if rung else request
        return await self._retrier.call(lambda: self._client.chat(shaped), replies, stopped)

    def _refusal(self, reply: ChatReply) -> Ending:
        """Blame the question only where the endpoint has answered others."""
        own_fault = reply.http_status in ABOUT_THE_QUESTION and self._formats.known
        return "unparsed" if own_fault else "denied"


def _parsed(reply: ChatReply, reference: str | None) -> Answer | None:
    try:
        return parse(reply.text or "", reference=reference)
    except UnparsableReplyError:
        return None
