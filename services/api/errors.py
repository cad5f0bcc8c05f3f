"""The one table from domain errors to status codes, and RFC 9457 answers for everything else."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from services.shared import errors
from services.shared.errors import Fault, WinnowError
from services.shared.plain_words import plain

log = structlog.get_logger(__name__)
PROBLEM_JSON = "application/problem+json"

STATUS: dict[type[WinnowError], int] = {
    errors.MalformedError: 400,
    errors.UnauthenticatedError: 401,
    errors.ForbiddenError: 403,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.TooLargeError: 413,
    errors.UnsupportedMediaError: 415,
    errors.InvalidError: 422,
    errors.OutgoingRefusedError: 422,
    errors.BudgetExceededError: 422,
    errors.LimitedError: 429,
    errors.UnavailableError: 503,
    errors.RetryLaterError: 503,
    errors.ArtifactCorruptError: 503,
    errors.DiskFullError: 503,
}
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError)
"""What SQLAlchemy raises while Postgres is away or every connection is taken."""

KEY_HEADER = "`Authorization: Bearer wn_…`"
MALFORMED_BY_PYDANTIC = frozenset({"json_invalid"})


def status_of(error: WinnowError) -> int:
    """Return the status of the nearest listed class; 500 for what no route should let out."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an RFC 9457 answer that carries the request's id."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
        "errors": [fault.to_dict() for fault in faults],
    }
    raw = orjson.dumps(_encodable(body))
    return Response(raw, status, headers=dict(headers or {}), media_type=PROBLEM_JSON)


def answer_to(error: WinnowError) -> Response:
    """Return what a domain error looks like from outside."""
    status, detail = status_of(error), error.detail
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.log(logging.WARNING, "request_failed", code=error.code, detail=error.detail)
    headers: dict[str, str] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
        detail = f"{detail} Send it in the header {KEY_HEADER}."
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None or status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(max(1, round(retry_after or 5)))
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return internal()
    return problem(status, error.code, detail, faults=error.errors, headers=headers)


def internal() -> Response:
    """Return the answer to a bug: nothing of it, but the id under which the log holds it."""
    return problem(500, "INTERNAL", "Something went wrong here; the log knows it by request_id.")


def install(app: FastAPI) -> None:
    """Answer every error of `app` in one shape."""
    app.add_exception_handler(WinnowError, _domain)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)
    for kind in DATABASE_AWAY:
        app.add_exception_handler(kind, _database)


def faults_of(
    found: Sequence[Mapping[str, Any]],
    *,
    index: int | None = None,
    model: type[BaseModel] | None = None,
) -> list[Fault]:
    """Return pydantic's errors as faults; a body's place is an RFC 6901 pointer into it.

    `model` is what the body was read as: beside a field that it lacks, those it has are named.
    """
    return [
        Fault(
            code=str(error["type"]).upper(),
            detail=plain({**error, "loc": _within(error["loc"])}, model),
            pointer=_pointer(error["loc"]),
            index=index,
        )
        for error in found
    ]


def _domain(_request: Request, error: Exception) -> Response:
    assert isinstance(error, WinnowError)  # noqa: S101 - Starlette chose this handler by class
    return answer_to(error)


def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    found = error.errors()
    faults = faults_of(found, model=_body_of(request))
    if any(one["type"] in MALFORMED_BY_PYDANTIC for one in found):
        return problem(400, "MALFORMED", "The body is no JSON.", faults=faults)
    detail = "; ".join(f"{fault.pointer or 'body'}: {fault.detail}" for fault in faults[:3])
    if len(faults) > 3:
        detail += f"; and {len(faults) - 3} more"
    return problem(422, "INVALID", detail, faults=faults)


def _body_of(request: Request) -> type[BaseModel] | None:
    """Return the model that the request's route reads its body as; None for any other body."""
    field = getattr(request.scope.get("route"), "body_field", None)
    kind = None if field is None else field.field_info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    phrase = HTTPStatus(error.status_code).phrase
    code = {400: "MALFORMED"}.get(error.status_code, phrase.upper().replace(" ", "_"))
    detail = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = "There is nothing at this address; /docs lists what there is."
    return problem(error.status_code, code, detail, headers=error.headers)


def _database(_request: Request, error: Exception) -> Response:
    log.warning("database_away", error=type(error).__name__)
    return answer_to(errors.UnavailableError("Postgres"))


def _bug(_request: Request, _error: Exception) -> Response:
    return internal()  # Starlette raises the error again, and `boundary` logs it


def _pointer(place: Sequence[int | str]) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in _within(place))
    return "".join(f"/{step}" for step in steps)


def _within(place: Sequence[int | str]) -> Sequence[int | str]:
    """Return a place without the word by which FastAPI says that it is in the body."""
    return place[1:] if place and place[0] == "body" else place


def _encodable(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the value with lone surrogates replaced: an error may quote what the caller sent."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_encodable(inner) for inner in value]
    return value
