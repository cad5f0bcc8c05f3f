"""What every request passes: a key for /v1, a body within the limit, a path left undecoded."""

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.auth import CALLER, Caller, Keyring
from services.api.errors import DATABASE_AWAY, answer_to
from services.shared.errors import (
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    WinnowError,
)
from services.shared.settings import settings


class Gate:
    """Lets a request in with its caller in the scope, or answers it at the door.

    Routes then match on the raw path: `%2F` within an id is no separator, and `..` no way up.
    """

    def __init__(self, app: ASGIApp, keyring: Keyring) -> None:
        self._app = app
        self._keyring = keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._admit(scope)
        except WinnowError as error:
            await answer_to(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        scope["path"] = scope["raw_path"].partition(b"?")[0].decode("latin-1")
        if scope["path"].startswith("/v1/"):
            scope[CALLER] = await self._caller(scope)

    async def _caller(self, scope: Scope) -> Caller:
        header = _header(scope, b"authorization")
        if header is None:
            raise UnauthenticatedError
        caller = self._keyring.remembered(header)
        if caller is not None:
            return caller
        try:
            return await run_in_threadpool(self._keyring.look_up, header)
        except DATABASE_AWAY as error:
            raise UnavailableError("Postgres") from error


class BodyLimit:
    """Refuses bodies over the limit, by their announced length or as soon as they exceed it.

    Uploads have limits of their own, kept where they are streamed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or _is_upload(scope):
            await self._app(scope, receive, send)
            return
        limit, read = settings().limits.body_bytes, 0
        announced = _header(scope, b"content-length") or "0"
        if announced.isdigit() and int(announced) > limit:
            await answer_to(_too_large(limit))(scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, counted, send)


def _is_upload(scope: Scope) -> bool:
    return scope["method"] == "POST" and bool(scope["path"].endswith("/imports"))


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The body is over the limit of {limit:,} bytes.")


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)
