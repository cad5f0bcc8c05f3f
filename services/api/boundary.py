"""The outermost layer: a request id in and out, one line in the log, and no stack trace out."""

import re
import time
from http import HTTPStatus

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.errors import internal
from services.api.metrics import Meter
from services.shared.ids import new_id
from services.shared.log import bound, get_logger

log = get_logger(__name__)
HEADER = b"x-request-id"
_PLAIN = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class Boundary:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request under its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        structlog.contextvars.clear_contextvars()
        with bound(request_id=_request_id(scope)):
            await self._serve(dict(scope), receive, send)  # the layers within write on it

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        answered = begun
        status: int | None = None
        complete = False
        request_id = structlog.contextvars.get_contextvars()["request_id"].encode()

        async def send_with_id(message: Message) -> None:
            nonlocal status, complete, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], time.perf_counter()
                message["headers"] = [*message.get("headers", []), (HEADER, request_id)]
            complete = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        self._meter.in_flight += 1
        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            log.exception("request_crashed", method=scope["method"])
            if status is not None and not complete:
                raise  # half an answer is out: the connection must break, not end well
            if status is None:
                await internal()(scope, receive, send_with_id)
        finally:
            self._meter.in_flight -= 1
            if status is not None:  # else the caller was gone before there was an answer
                self._meter.note(_route(scope), scope["method"], status, answered - begun)
        _tell(scope, status or HTTPStatus.INTERNAL_SERVER_ERROR, time.perf_counter() - begun)


def _route(scope: Scope) -> str | None:
    """Return the path as it was declared, without the ids of this request; None if none fits."""
    return scope.get("winnow.route") or getattr(scope.get("route"), "path", None)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    path: str = _route(scope) or _up_to_the_noun(scope["path"])
    quiet = scope.get("winnow.quiet") or path.startswith(("/health/", "/metrics"))
    write = log.debug if quiet else log.info
    write(
        "request",
        method=scope["method"],
        path=path,
        status=int(status),
        milliseconds=round(seconds * 1000, 2),
    )


def _up_to_the_noun(path: str) -> str:
    """Return `/v1/datasets/{its id}/noun` at most: ids of people stay out of the log."""
    return "/".join(path.split("/")[:5])


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == HEADER), b"")
    return given.decode() if _PLAIN.fullmatch(given) else str(new_id())
