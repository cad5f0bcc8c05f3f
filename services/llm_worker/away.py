"""An endpoint that stays away: knocked at with the smallest question, told of in a sentence.

A knock tells the endpoint's trouble from a question's: who answers a knock and not the question is
there. It costs a handful of tokens, is counted like any attempt, and its answer is thrown away.
"""

from services.llm_worker.endpoints import Embedder, Rater
from services.llm_worker.limiter import Stopped
from services.llm_worker.retry import PASSING
from services.shared.db.repos.pauses import EMBEDDER_AWAY, LLM_AWAY, Cause
from services.shared.errors import WinnowError
from services.shared.llm.protocol import ChatReply, ChatRequest, EmbedReply, EmbedRequest

GREETING = "Are you there?"

NAMES = {LLM_AWAY: "LLM", EMBEDDER_AWAY: "embedder"}


class EndpointAwayError(WinnowError):
    """The endpoint is away; `cause` is what the run waits for."""

    code = "ENDPOINT_AWAY"

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.detail)
        self.cause = cause


async def knock_at_llm(rater: Rater, model: str, stopped: Stopped) -> ChatReply:
    """Return the reply of one attempt; StoppedError instead once `stopped` says so."""
    request = ChatRequest(
        messages=[{"role": "user", "content": GREETING}], model=model, max_tokens=1
    )
    return await rater.retrier.once(lambda: rater.client.chat(request), stopped)


async def knock_at_embedder(embedder: Embedder, model: str, stopped: Stopped) -> EmbedReply:
    """Return the reply of one attempt; StoppedError instead once `stopped` says so."""
    request = EmbedRequest(texts=[GREETING], model=model)
    return await embedder.retrier.once(lambda: embedder.client.embed(request), stopped)


def is_away(reply: ChatReply | EmbedReply) -> bool:
    """Say whether nobody was there; a refusal or a garbled answer is an answer."""
    return reply.status in PASSING


def cause_of(code: str, reply: ChatReply | EmbedReply) -> Cause:
    """Return why the run waits, by the last reply that was none."""
    said = {
        "timeout": "it did not answer in time",
        "connection": "the connection failed",
        "rate_limited": "it takes no more requests for now (HTTP status 429)",
    }.get(reply.status, f"it answered with HTTP status {reply.http_status}")
    detail = f"The {NAMES[code]}'s endpoint is away: {said}. It is tried again by itself."
    return Cause(code=code, detail=detail, retry_after=reply.retry_after or 0.0)
