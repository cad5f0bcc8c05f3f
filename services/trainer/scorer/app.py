"""The scorer's routes: health, recommend, similar; the shared key before each but the first."""

import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.shared import errors
from services.shared.errors import InvalidError, MalformedError, UnavailableError, WinnowError
from services.shared.log import bound
from services.shared.scoring import Ask, AskSimilar
from services.trainer.scorer.answering import Scorer
from services.trainer.scorer.arrivals import Arrivals
from services.trainer.scorer.embedder import Embedder
from services.trainer.scorer.models import Models

log = structlog.get_logger(__name__)

MAX_BODY = 16 * 2**20  # bytes
AT_ONCE = 2
"""Requests that compute; numpy takes the cores by itself."""

WAITING = 32
"""Requests that may wait for their turn; the next is sent away."""

STATUS: dict[type[WinnowError], int] = {
    errors.MalformedError: 400,
    errors.UnauthenticatedError: 401,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.TooLargeError: 413,
    errors.InvalidError: 422,
    errors.UnavailableError: 503,
    errors.LimitedError: 503,
}
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError)

Asked = TypeVar("Asked", Ask, AskSimilar)


@dataclass
class Desk:
    """Lets requests in by key and number, and has them answered on threads."""

    key: str
    scorer: Scorer
    _turns: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(AT_ONCE))
    _inside: int = 0

    async def health(self, _: Request) -> Response:
        """Say that the process answers, and what it holds."""
        return JSONResponse({"status": "ok", "model_bytes": self.scorer.models.size})

    async def recommend(self, request: Request) -> Response:
        """Answer an `Ask`."""
        return await self._answer(request, Ask, self.scorer.recommend)

    async def similar(self, request: Request) -> Response:
        """Answer an `AskSimilar`."""
        return await self._answer(request, AskSimilar, self.scorer.similar)

    async def _answer(
        self, request: Request, kind: type[Asked], answer: Callable[[Asked], BaseModel]
    ) -> Response:
        structlog.contextvars.clear_contextvars()
        with bound(request_id=request.headers.get("x-request-id", "")[:128]):
            try:
                self._admit(request)
                asked = _read(kind, await _body(request))
                return await self._in_turn(lambda: answer(asked))
            except WinnowError as error:
                return _told(error)
            except DATABASE_AWAY as error:
                log.warning("database_away", error=type(error).__name__)
                return _told(UnavailableError("Postgres"))
            except Exception:
                log.exception("request_crashed")
                return _told(WinnowError("An internal error; the scorer's log tells it."))

    async def _in_turn(self, answer: Callable[[], BaseModel]) -> Response:
        if self._inside >= AT_ONCE + WAITING:
            raise errors.LimitedError("The scorer is busy.", retry_after=1.0)
        self._inside += 1
        try:
            said = await anyio.to_thread.run_sync(answer, limiter=self._turns)
        finally:
            self._inside -= 1
        return Response(said.model_dump_json(), media_type="application/json")

    def _admit(self, request: Request) -> None:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.key}".encode()):
            raise errors.UnauthenticatedError("The scorer's key is required.")


def create_app(key: str, models: Models, embedder: Embedder) -> Starlette:
    """Return the ASGI app; InvalidError for an empty key, which would let everybody in."""
    if not key:
        raise InvalidError("The scorer needs a key.")
    arrivals = Arrivals(embedder)
    desk = Desk(key, Scorer(models, embedder, arrivals))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        arrivals.close()
        embedder.close()

    routes = [
        Route("/health", desk.health),
        Route("/v1/recommend", desk.recommend, methods=["POST"]),
        Route("/v1/similar", desk.similar, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _read(kind: type[Asked], body: bytes) -> Asked:
    """Return the request; its errors never quote it, since it may hold a profile text."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = "/".join(str(step) for step in first["loc"])
        if first["type"] == "json_invalid":
            raise MalformedError("The body is no JSON.") from None
        raise InvalidError(f"/{where}: {first['msg']}", pointer=f"/{where}") from None


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise errors.TooLargeError(f"A body has at most {MAX_BODY:,} bytes.")
    return bytes(body)


def _told(error: WinnowError) -> Response:
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    faults = [fault.to_dict() for fault in error.errors]
    body = {"code": error.code, "detail": error.detail, "errors": faults}
    retry_after = getattr(error, "retry_after", None)
    headers = {} if retry_after is None else {"Retry-After": str(max(1, round(retry_after)))}
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_failed", code=error.code, detail=error.detail)
    return JSONResponse(body, status, headers)
