"""Which lists a dataset serves, and which it served before: the pointer and its way back."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.shared.db.tables import Dataset, Serving


def in_force(session: Session, dataset: Dataset) -> Serving | None:
    """Return what the dataset serves, its row locked by the caller; None before its first model.

    A pointer that was moved without a row, as older processes do, gets its row here.
    """
    if dataset.current_model_id is None:
        return None
    newest = session.scalars(
        select(Serving).where(Serving.dataset_id == dataset.id).order_by(Serving.id.desc()).limit(1)
    ).one_or_none()
    if newest is not None and _is(newest, dataset.current_model_id, dataset.current_graph):
        return newest
    graph = dataset.current_graph
    previous_id = None if newest is None else newest.id
    return move(
        session,
        dataset,
        model_id=dataset.current_model_id,
        graph=graph,
        cause="promote",
        previous_id=previous_id,
    )


def move(
    session: Session,
    dataset: Dataset,
    *,
    model_id: UUID,
    graph: str | None,
    cause: str,
    previous_id: int | None,
) -> Serving:
    """Let the dataset serve the model's lists of `graph`, None for the model's own choice."""
    dataset.current_model_id, dataset.current_graph = model_id, graph
    serving = Serving(
        project_id=dataset.project_id,
        dataset_id=dataset.id,
        model_id=model_id,
        graph=graph,
        cause=cause,
        previous_id=previous_id,
    )
    session.add(serving)
    session.flush()
    return serving


def before(session: Session, serving: Serving) -> Serving | None:
    """Return what a rollback of `serving` goes to; None when nothing was served before it."""
    return None if serving.previous_id is None else session.get(Serving, serving.previous_id)


def _is(serving: Serving, model_id: UUID, graph: str | None) -> bool:
    return serving.model_id == model_id and serving.graph == graph
