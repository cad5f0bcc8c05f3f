"""Health: whether the process lives, and whether it can serve."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from services.api.readiness import Readiness, sum_up
from services.api.schemas.health import DependencyAnswer, Live, Ready
from services.api.strict import StrictRoute

router = APIRouter(prefix="/health", tags=["health"], route_class=StrictRoute)


@router.get("/live")
def live() -> Live:
    """Say that the process answers."""
    return Live()


@router.get("/ready", response_model=Ready, responses={503: {"model": Ready}})
def ready(request: Request) -> Response:
    """Say whether requests can be served: Postgres must answer and every list have a sound file.

    Anything else that is away makes it degraded, and ready: lists keep serving.
    """
    readiness: Readiness = request.app.state.readiness
    found = readiness.look()
    status = sum_up(found)
    told = {name: DependencyAnswer.model_validate(one) for name, one in found.items()}
    body = Ready.model_validate({"status": status, "dependencies": told})
    down = status == "unavailable"
    return Response(
        body.model_dump_json(),
        HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK,
        headers={"Cache-Control": "no-store"} | ({"Retry-After": "5"} if down else {}),
        media_type="application/json",
    )
