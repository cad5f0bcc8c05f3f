"""Puts the application together: what a request passes, from outside to the routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp

from services.api import errors, openapi
from services.api.auth import Keyring
from services.api.boundary import Boundary
from services.api.docs_page import page
from services.api.event_stream import Streams
from services.api.gate import BodyLimit, Gate
from services.api.hot import Hot
from services.api.idempotency import ReplayError
from services.api.metrics import Meter, application
from services.api.probes import probes
from services.api.readiness import Readiness
from services.api.routes import ROUTERS
from services.api.served import OnDemand, Pointers, Scorer, Shelf
from services.shared.artifacts import ArtifactStore
from services.shared.celery import close_sender
from services.shared.settings import settings


def create_app() -> ASGIApp:
    """Return the application that a server runs."""
    return wrap(create_routes())


def create_routes() -> FastAPI:
    """Return the routes alone, with what they share in `state`."""
    app = FastAPI(
        title="Winnow",
        version=openapi.VERSION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        separate_input_output_schemas=False,
        lifespan=_lifespan,
    )
    app.state.keyring = Keyring()
    app.state.pointers = Pointers()
    app.state.shelf = Shelf(store)
    app.state.scorer = Scorer()
    app.state.on_demand = OnDemand(app.state.scorer)
    app.state.readiness = Readiness(probes(app.state.shelf, app.state.scorer))
    app.state.streams = Streams()
    app.state.meter = Meter()
    app.state.metrics = application(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    errors.install(app)
    app.add_exception_handler(ReplayError, _replayed)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign] # FastAPI's own way
    return app


def wrap(app: FastAPI) -> ASGIApp:
    """Return the application with everything that stands before its routes."""
    hot = Hot(app, app.state.pointers, app.state.shelf, app.state.on_demand)
    return Boundary(Gate(BodyLimit(hot), app.state.keyring), app.state.meter)


def store() -> ArtifactStore:
    """Return the artefact store; copies from an object store lie beside the uploads."""
    spool = settings().spool_dir
    return ArtifactStore(
        settings().require("artifacts_url"), cache=spool / "artifacts" if spool else None
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.scorer.close()
    close_sender()


def _docs(request: Request) -> Response:
    return Response(page(request.app.openapi()), media_type="text/html")


def _replayed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ReplayError)  # noqa: S101 - Starlette chose this handler by class
    return error.response
