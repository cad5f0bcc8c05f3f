"""Runs: what each one pins, and where its stages left their results."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from services.shared.db.tables import Run
from services.shared.errors import NotFoundError


def get(session: Session, run_id: UUID) -> Run:
    """Return the run; NotFoundError when this project has none of that id."""
    run = session.get(Run, run_id)
    if run is None:
        raise NotFoundError("run", str(run_id))
    return run


def keep_artifact(session: Session, run_id: UUID, stage: str, artifact: dict[str, Any]) -> None:
    """Note where `stage` left its files: {"path", "sha256"} of the manifest; the last one wins."""
    session.execute(
        update(Run)
        .where(Run.id == run_id)
        .values(artifacts=Run.artifacts.op("||")(func.jsonb_build_object(stage, artifact)))
    )


def of_dataset(session: Session, dataset_id: UUID) -> list[Run]:
    """Return a dataset's runs, newest first."""
    query = select(Run).where(Run.dataset_id == dataset_id)
    return list(session.scalars(query.order_by(Run.created_at.desc(), Run.id.desc())))
