"""The routes, one file a noun; a new router is added to ROUTERS and is served."""

from fastapi import APIRouter

from services.api.routes import (
    datasets,
    health,
    imports,
    interactions,
    jobs,
    keys,
    metrics,
    models,
    profiles,
    projects,
    recommendations,
    runs,
    verdicts,
)

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    metrics.router,
    projects.router,
    keys.router,
    datasets.router,
    profiles.router,
    imports.router,
    interactions.router,
    runs.router,
    jobs.router,
    models.router,
    verdicts.router,
    recommendations.router,
)
