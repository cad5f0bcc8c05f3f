"""Health: whether the process lives, and whether it can serve."""

import socket
from http import HTTPStatus
from typing import Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from services.api.schemas.health import Live, Ready
from services.api.served import Scorer, Shelf
from services.api.strict import StrictRoute
from services.shared.db.session import unit_of_work
from services.shared.settings import settings

router = APIRouter(prefix="/health", tags=["health"], route_class=StrictRoute)
TIMEOUT_SECONDS = 1.0


@router.get("/live")
def live() -> Live:
    """Say that the process answers."""
    return Live()


@router.get("/ready", response_model=Ready, responses={503: {"model": Ready}})
def ready(request: Request) -> Response:
    """Say whether requests can be served: Postgres must answer and every list have a sound file.

    A refused list with an older one in its place, Valkey, the LLM or the scorer away: degraded,
    and ready.
    """
    shelf: Shelf = request.app.state.shelf
    scorer: Scorer = request.app.state.scorer
    found = {
        "postgres": _postgres(),
        "lists": shelf.health(),
        "valkey": _valkey(),
        "llm": _llm(),
        "scorer": scorer.health(),
    }
    status: Literal["ok", "degraded", "unavailable"] = "ok"
    if any(word != "ok" for word in found.values()):
        status = "degraded"
    if found["postgres"] != "ok" or found["lists"] == "missing":
        status = "unavailable"
    body = Ready(status=status, dependencies=found).model_dump_json()
    down = status == "unavailable"
    return Response(
        body,
        HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK,
        headers={"Retry-After": "5"} if down else {},
        media_type="application/json",
    )


def _postgres() -> str:
    try:
        with unit_of_work() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return "away"
    return "ok"


def _valkey() -> str:
    url = urlsplit(settings().require("redis_url"))
    return _reachable(url.hostname or "127.0.0.1", url.port or 6379)


def _llm() -> str:
    url = urlsplit(settings().llm.base_url)
    if not url.hostname:
        return "not configured"
    return _reachable(url.hostname, url.port or (443 if url.scheme == "https" else 80))


def _reachable(host: str, port: int) -> str:
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT_SECONDS):
            return "ok"
    except OSError:
        return "away"
