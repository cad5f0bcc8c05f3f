"""The client's contract: what is asked of an OpenAI-style endpoint and what comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from services.shared.canonical import Json
from services.shared.llm.budget import Tokens
from services.shared.llm.prompts import Message

EMBEDDED_CHARS = 8_000
"""Of a text that is embedded: within OpenAI's 8,191 tokens whatever the script; encoders cut
sooner. Whoever embeds cuts alike: a text has one vector."""

CallStatus = Literal[
    "ok", "unparsable", "rate_limited", "server_error", "refused", "timeout", "connection"
]
"""How one attempt ended; every attempt is one usage row, the failed ones too."""


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """One chat completion; deterministic by default."""

    messages: Sequence[Message]
    model: str
    temperature: float = 0.0
    max_tokens: int = 200
    seed: int | None = None
    response_format: Mapping[str, object] | None = None

    def parameters(self) -> dict[str, Json]:
        """Return what, beside model and texts, can change the answer: part of the cache key."""
        kind = self.response_format.get("type") if self.response_format else None
        return {
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "response_format": None if kind is None else str(kind),
        }


@dataclass(frozen=True, kw_only=True)
class ChatReply:
    """One attempt's outcome; `text` is None unless the endpoint answered with one.

    `usage` is None where the endpoint reported none. `retry_after` is in seconds.
    """

    text: str | None
    usage: Tokens | None
    latency_ms: float
    status: CallStatus
    http_status: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True)
class EmbedRequest:
    """Some texts to be embedded in one call."""

    texts: Sequence[str]
    model: str


@dataclass(frozen=True, kw_only=True)
class EmbedReply:
    """One vector a text, in order, all of one width; empty unless the status is ok."""

    vectors: Sequence[Sequence[float]]
    usage: Tokens | None
    latency_ms: float
    status: CallStatus
    http_status: int | None = None
    retry_after: float | None = None


class LlmClient(Protocol):
    """What rating and embedding need of a client; an attempt never raises for the endpoint."""

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Make one attempt at a chat completion."""

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        """Make one attempt at embedding."""
