"""The routes, one file a noun; a new router is added to ROUTERS and is served."""

from fastapi import APIRouter

from services.api.routes import (
    audit,
    datasets,
    health,
    imports,
    interactions,
    jobs,
    keys,
    metrics,
    models,
    preflight,
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
    preflight.router,
    runs.router,
    jobs.router,
    models.router,
    verdicts.router,
    audit.router,
    recommendations.router,
)
