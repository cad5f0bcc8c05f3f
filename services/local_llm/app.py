"""The endpoint's routes: health and models, chat completions, embeddings; a key before each."""

import asyncio
import hmac
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.local_llm.chat import Chat
from services.local_llm.encoder import Encoder
from services.local_llm.faults import Faults, Kind
from services.local_llm.rater import Rater
from services.local_llm.refusals import refusal
from services.local_llm.scores import Vector
from services.local_llm.tokens import TokenCounter
from services.local_llm.vectors import Vectors
from services.local_llm.wire import (
    CHAT_MODEL,
    EMBEDDING_MODEL,
    INVALID,
    ChatRequest,
    EmbeddingsRequest,
    error_response,
    json_response,
    read,
)
from services.shared.errors import InvalidError, MalformedError, NotFoundError, UnavailableError

MAX_BODY = 8 * 2**20  # bytes

Answerer = Callable[[bytes, Kind | None], Awaitable[object]]


@dataclass(frozen=True)
class Endpoint:
    """The stand-in's state and its handlers."""

    api_key: str
    encoder: Encoder
    vectors: Vectors
    tokens: TokenCounter
    faults: Faults
    chat: Chat

    async def health(self, _: Request) -> Response:
        """Tell that the server answers, and what it really is."""
        about = {"status": "ok", "rater": CHAT_MODEL, "encoder": self.encoder.name, "is_llm": False}
        return json_response(about)

    async def models(self, request: Request) -> Response:
        """List both models."""
        if not self._admits(request):
            return _unauthorised()
        rows = [
            {"id": name, "object": "model", "created": 0, "owned_by": "winnow"}
            for name in (CHAT_MODEL, EMBEDDING_MODEL)
        ]
        return json_response({"object": "list", "data": rows})

    async def completions(self, request: Request) -> Response:
        """Rate the one question of a chat request."""

        async def answer(body: bytes, fault: Kind | None) -> object:
            return await self.chat.complete(read(ChatRequest, body), fault)

        return await self._answer(request, answer)

    async def embeddings(self, request: Request) -> Response:
        """Return one unit vector per input."""

        async def answer(body: bytes, _: Kind | None) -> object:
            return await self._embed(read(EmbeddingsRequest, body))

        return await self._answer(request, answer)

    async def _answer(self, request: Request, answer: Answerer) -> Response:
        if not self._admits(request):
            return _unauthorised()
        body = await _body(request)
        if body is None:
            return error_response(413, f"A body has at most {MAX_BODY} bytes.", kind=INVALID)
        if self.faults.delay_seconds:
            await asyncio.sleep(self.faults.delay_seconds)
        fault = self.faults.draw(body)
        refused = refusal(fault)
        if refused is not None:
            return refused
        return await _told(answer(body, fault))

    async def _embed(self, request: EmbeddingsRequest) -> dict[str, object]:
        texts = request.texts
        rows = await self.vectors.of(texts)
        coded = b64encode_row if request.encoding_format == "base64" else _floats
        used = sum(self.tokens.count(text) for text in texts)
        return {
            "object": "list",
            "model": EMBEDDING_MODEL,
            "data": [
                {"object": "embedding", "index": index, "embedding": coded(row)}
                for index, row in enumerate(rows)
            ],
            "usage": {"prompt_tokens": used, "total_tokens": used},
        }

    def _admits(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {self.api_key}".encode())


def create_app(api_key: str, encoder: Encoder, faults: Faults) -> Starlette:
    """Return the ASGI app; `api_key` must not be empty, or everybody would be let in."""
    if not api_key:
        raise InvalidError("The local endpoint needs an API key.")
    vectors, tokens = Vectors(encoder), TokenCounter(encoder)
    chat = Chat(Rater(encoder.name), vectors, tokens, faults, f"winnow-local-{encoder.name}")
    end = Endpoint(api_key, encoder, vectors, tokens, faults, chat)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await vectors.close()

    routes = [
        Route("/health", end.health),
        Route("/v1/models", end.models),
        Route("/v1/chat/completions", end.completions, methods=["POST"]),
        Route("/v1/embeddings", end.embeddings, methods=["POST"]),
    ]
    handlers = {HTTPException: _http_error, Exception: _server_error}
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)


def b64encode_row(row: Vector) -> str:
    """Return a vector as OpenAI's base64: little-endian float32."""
    return b64encode(row.astype("<f4").tobytes()).decode()


def _floats(row: Vector) -> list[float]:
    return [float(value) for value in row]


async def _told(answer: Awaitable[object]) -> Response:
    """Return the answer, or the error that stands in its place."""
    try:
        return json_response(await answer)
    except NotFoundError as error:
        return error_response(404, error.detail, kind=INVALID, code="model_not_found")
    except UnavailableError as error:
        return error_response(503, error.detail, kind="server_error", retry_after="1")
    except (InvalidError, MalformedError) as error:
        return error_response(400, error.detail, kind=INVALID, code=error.code.lower())


async def _body(request: Request) -> bytes | None:
    """Return the body, None once it is over MAX_BODY."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return None
    return bytes(body)


async def _http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return error_response(status, HTTPStatus(status).phrase, kind=INVALID)


async def _server_error(_: Request, error: Exception) -> Response:
    return error_response(500, f"Internal error: {type(error).__name__}.", kind="server_error")


def _unauthorised() -> Response:
    message = "Incorrect API key provided."
    return error_response(401, message, kind=INVALID, code="invalid_api_key")
