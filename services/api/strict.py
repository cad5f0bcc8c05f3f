"""The route class of JSON routes: reads a body strictly, and refuses what no parameter names."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from services.shared.errors import Fault, InvalidError, MalformedError, UnsupportedMediaError
from services.shared.nesting import MAX_DEPTH, is_too_deep

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRoute(APIRoute):
    """An APIRoute whose every input is either understood or refused."""

    def get_route_handler(self) -> Handler:
        """Return the handler, with the checks before it."""
        handle = super().get_route_handler()
        known = _query_names(self.dependant)

        async def checked(request: Request) -> Response:
            _refuse_unknown(request, known)
            if self.body_field is not None:
                request._json = _parse(request, await request.body())  # noqa: SLF001 - its cache
            elif request.method == "POST" and (await request.body()).strip() not in {b"", b"{}"}:
                raise InvalidError("This takes no body.", code="UNKNOWN_FIELD", pointer="")
            return await handle(request)

        return checked


def _query_names(dependant: Dependant) -> set[str]:
    """Return what the route and all that it depends on read from the query."""
    own = {field.alias for field in dependant.query_params}
    return own.union(*(_query_names(needed) for needed in dependant.dependencies))


def _refuse_unknown(request: Request, known: set[str]) -> None:
    try:
        unquote_to_bytes(request.scope["query_string"]).decode()
    except UnicodeDecodeError:
        raise InvalidError("The query is no UTF-8.", pointer="/query") from None
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        names = ", ".join(unknown)
        faults = [
            Fault(code="UNKNOWN_PARAMETER", detail=f"There is no {name}.", pointer=f"/query/{name}")
            for name in unknown
        ]
        raise InvalidError(
            f"Unknown query parameter: {names}.", code="UNKNOWN_PARAMETER", errors=faults
        )


def _parse(request: Request, body: bytes) -> object:
    if not body:
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaError("The body must be JSON: Content-Type: application/json.")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaError("The body must come without a Content-Encoding.")
    try:
        parsed = orjson.loads(body)  # unlike json: no NaN, no lone surrogates, no bad UTF-8
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"The body is no JSON: {_why(body, error)}.") from None
    if is_too_deep(parsed):
        raise InvalidError(f"The body nests deeper than {MAX_DEPTH}.", code="TOO_DEEP", pointer="")
    if b"\\u0000" in body:
        _refuse_nul(parsed, "")
    return parsed


def _why(body: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        body.decode()
    except UnicodeDecodeError as fault:
        return f"it is no UTF-8 at byte {fault.start}"
    if "surrogate" in error.msg:
        return f"half of a surrogate pair stands alone before character {error.pos}"
    return f"{error.msg}: line {error.lineno} column {error.colno}"


def _refuse_nul(value: object, pointer: str) -> None:
    if isinstance(value, str) and "\0" in value:
        raise InvalidError("A text may not hold the character U+0000.", pointer=pointer)
    if isinstance(value, dict):
        for name, inner in value.items():
            _refuse_nul(name, pointer)
            _refuse_nul(inner, f"{pointer}/{name}")
    if isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_nul(inner, f"{pointer}/{index}")
