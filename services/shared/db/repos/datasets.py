"""Datasets: live ones only; every write that a run could see bumps the version."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.shared.db.tables import Dataset
from services.shared.errors import ConflictError, NotFoundError


def create(session: Session, *, project_id: UUID, name: str, settings: dict[str, Any]) -> Dataset:
    """Return a new dataset at version 0, flushed; ConflictError when the name is taken."""
    dataset = Dataset(project_id=project_id, name=name, settings=settings)
    session.add(dataset)
    flush_name(session, name)
    session.refresh(dataset)
    return dataset


def flush_name(session: Session, name: str) -> None:
    """Write what is pending; ConflictError when another live dataset has the name."""
    try:
        session.flush()
    except IntegrityError as error:
        raise ConflictError(f"A dataset named {name!r} exists.", code="NAME_TAKEN") from error


def live(session: Session, dataset_id: UUID) -> Dataset:
    """Return the dataset; NotFoundError when there is none in this project or it is deleted."""
    dataset = session.get(Dataset, dataset_id)
    if dataset is None or dataset.deleted_at is not None:
        raise NotFoundError("dataset", dataset_id)
    return dataset


def lock(session: Session, dataset_id: UUID) -> Dataset:
    """Return the live dataset, its row locked: writers of one dataset queue here."""
    query = select(Dataset).where(Dataset.id == dataset_id, Dataset.deleted_at.is_(None))
    # not FOR UPDATE: a row that only refers to the dataset need not wait
    locked = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    dataset = session.scalars(locked).one_or_none()
    if dataset is None:
        raise NotFoundError("dataset", dataset_id)
    return dataset


def page(session: Session, *, size: int, after: tuple[datetime, UUID] | None) -> list[Dataset]:
    """Return up to size + 1 live datasets, oldest first."""
    query = select(Dataset).where(Dataset.deleted_at.is_(None)).limit(size + 1)
    if after is not None:
        query = query.where(tuple_(Dataset.created_at, Dataset.id) > after)
    return list(session.scalars(query.order_by(Dataset.created_at, Dataset.id)))


def bury(session: Session, dataset_id: UUID) -> None:
    """Set the tombstone: from this commit on the dataset is gone for everybody."""
    session.execute(update(Dataset).where(Dataset.id == dataset_id).values(deleted_at=func.now()))


def pointer(session: Session, dataset_id: UUID) -> UUID | None:
    """Return the id of the model that is served; NotFoundError when the dataset is gone."""
    return live(session, dataset_id).current_model_id
