"""Runs: what each one pins, and where its stages left their results."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.shared.db.tables import Run
from services.shared.errors import NotFoundError


def get(session: Session, run_id: UUID) -> Run:
    """Return the run; NotFoundError when this project has none of that id."""
    run = session.get(Run, run_id)
    if run is None:
        raise NotFoundError("run", str(run_id))
    return run


def of_dataset(session: Session, dataset_id: UUID) -> list[Run]:
    """Return a dataset's runs, newest first."""
    query = select(Run).where(Run.dataset_id == dataset_id)
    return list(session.scalars(query.order_by(Run.created_at.desc(), Run.id.desc())))
