"""Metrics, for whoever watches: names of routes, stages, states and models, no id of anybody."""

from fastapi import APIRouter, Request, Response

from services.api.strict import StrictRoute
from services.shared import metrics

router = APIRouter(tags=["health"], route_class=StrictRoute)
EXAMPLE = 'winnow_jobs{kind="run",state="running"} 1.0\n'


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"example": EXAMPLE}}}},
)
def read_metrics(request: Request) -> Response:
    """Return what the process counts, as Prometheus reads it; docs/operations.md lists it."""
    body = metrics.text(request.app.state.metrics)
    return Response(body, media_type=metrics.CONTENT_TYPE)
