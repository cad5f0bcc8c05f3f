"""The client of any OpenAI-style endpoint: one attempt per call, never a redirect."""

import asyncio
import time
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

import aiohttp

from services.llm_worker import metrics, wire
from services.llm_worker.pinned import GuardedResolver
from services.shared.clock import utc_now
from services.shared.llm.protocol import (
    CallStatus,
    ChatReply,
    ChatRequest,
    EmbedReply,
    EmbedRequest,
)
from services.shared.outgoing import guard
from services.shared.settings import Endpoint

MAX_ANSWER = 64 * 2**20  # bytes: 2,048 vectors of 1,536 numbers as text

_RATE_LIMITED, _OK = 429, 200
_WORTH_ANOTHER = {408, 409}


@dataclass(frozen=True)
class _Answer:
    status: CallStatus
    latency_ms: float
    http_status: int | None = None
    raw: bytes = b""
    retry_after: float | None = None


class HttpClient:
    """Implements `LlmClient`; made and used on one event loop, which keeps its connections.

    Raises OutgoingRefusedError, when made, for an address that the operator has not allowed.
    """

    def __init__(self, endpoint: Endpoint, *, allow: AbstractSet[str]) -> None:
        self._base = endpoint.base_url.rstrip("/")
        guard(self._base, allow=allow)  # a literal address never comes to the resolver
        key = endpoint.api_key.get_secret_value() if endpoint.api_key else ""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=endpoint.in_flight, resolver=GuardedResolver(self._base, allow)
            ),
            timeout=aiohttp.ClientTimeout(total=endpoint.timeout_seconds),
            headers={"Content-Type": "application/json"}
            | ({"Authorization": f"Bearer {key}"} if key else {}),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Make one attempt; a body without a text is `unparsable`."""
        with metrics.IN_FLIGHT.labels("chat").track_inprogress():
            answer = await self._post("chat/completions", wire.chat_body(request))
        said = wire.read_chat(answer.raw) if answer.status == "ok" else wire.Chat(None, None)
        garbled = answer.status == "ok" and said.text is None
        reply = ChatReply(
            text=said.text,
            usage=said.usage,
            latency_ms=answer.latency_ms,
            status="unparsable" if garbled else answer.status,
            http_status=answer.http_status,
            retry_after=answer.retry_after,
        )
        metrics.called("chat", request.model, reply)
        return reply

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        """Make one attempt; fewer vectors than texts, or ragged ones, are `unparsable`."""
        with metrics.IN_FLIGHT.labels("embedding").track_inprogress():
            answer = await self._post("embeddings", wire.embed_body(request))
        told = wire.Vectors(None, None)
        if answer.status == "ok":
            told = wire.read_vectors(answer.raw, count=len(request.texts))
        garbled = answer.status == "ok" and told.vectors is None
        reply = EmbedReply(
            vectors=told.vectors or [],
            usage=told.usage,
            latency_ms=answer.latency_ms,
            status="unparsable" if garbled else answer.status,
            http_status=answer.http_status,
            retry_after=answer.retry_after,
        )
        metrics.called("embedding", request.model, reply)
        return reply

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _post(self, path: str, body: bytes) -> _Answer:
        began = time.perf_counter()
        try:
            async with self._session.post(
                f"{self._base}/{path}", data=body, allow_redirects=False
            ) as response:
                raw = await _read(response)
                status, after = response.status, response.headers.get("Retry-After")
        except TimeoutError:
            return _Answer("timeout", _since(began))
        except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError):
            return _Answer("connection", _since(began))
        return _Answer(kind_of(status), _since(began), status, raw, retry_after(after))


def kind_of(status: int) -> CallStatus:
    """Return how an attempt ended that was answered with this HTTP status."""
    if status == _OK:
        return "ok"
    if status == _RATE_LIMITED:
        return "rate_limited"
    return "server_error" if status >= 500 or status in _WORTH_ANOTHER else "refused"


def retry_after(header: str | None, *, now: datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After asks for, given as seconds or as a date (RFC 9110)."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - (now or utc_now())).total_seconds()
        except (ValueError, TypeError):  # TypeError: a date without an offset
            return None
    return max(0.0, seconds) if seconds < float("inf") else None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for piece in response.content.iter_any():
        raw += piece
        if len(raw) > MAX_ANSWER:
            raise aiohttp.ClientPayloadError("the answer is longer than any that is expected")
    return bytes(raw)


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
