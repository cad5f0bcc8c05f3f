"""Jobs, runs and models as their owners list them: newest first, page by page."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session

from services.shared.db.repos.history import worked_seconds
from services.shared.db.repos.jobs import ENDED
from services.shared.db.tables import Dataset, Import, Job, Model, Prompt, Run, Stage
from services.shared.errors import NotFoundError
from services.shared.stages import WAITS_FOR

After = tuple[datetime, UUID] | None


def jobs(session: Session, *, size: int, after: After) -> list[Job]:
    """Return up to size + 1 jobs of the project."""
    query = select(Job).order_by(Job.created_at.desc(), Job.id.desc()).limit(size + 1)
    if after is not None:
        query = query.where(tuple_(Job.created_at, Job.id) < after)
    return list(session.scalars(query))


def run_jobs(session: Session, dataset_id: UUID, *, size: int, after: After) -> list[Job]:
    """Return up to size + 1 jobs of a dataset's runs."""
    query = select(Job).join(Run, Run.id == Job.id).where(Run.dataset_id == dataset_id)
    if after is not None:
        query = query.where(tuple_(Job.created_at, Job.id) < after)
    ordered = query.order_by(Job.created_at.desc(), Job.id.desc()).limit(size + 1)
    return list(session.scalars(ordered))


def models(session: Session, *, dataset_id: UUID | None, size: int, after: After) -> list[Model]:
    """Return up to size + 1 models, of one dataset or of all."""
    query = _live_models()
    if dataset_id is not None:
        query = query.where(Model.dataset_id == dataset_id)
    if after is not None:
        query = query.where(tuple_(Model.created_at, Model.id) < after)
    ordered = query.order_by(Model.created_at.desc(), Model.id.desc()).limit(size + 1)
    return list(session.scalars(ordered))


def model(session: Session, model_id: UUID) -> Model:
    """Return the model; NotFoundError when this project has none of that id."""
    found = session.scalars(_live_models().where(Model.id == model_id)).one_or_none()
    if found is None:
        raise NotFoundError("model", model_id)
    return found


def served(session: Session, dataset_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the models that these datasets point to, each with the graph whose lists it gives."""
    graph = func.coalesce(Dataset.current_graph, Model.default_graph)
    query = (
        select(Model.id, graph.label("graph"))
        .join(Dataset, Dataset.current_model_id == Model.id)
        .where(Dataset.id.in_(dataset_ids))
    )
    return {row.id: row.graph for row in session.execute(query)}


def _live_models() -> Select[Model]:
    live = Dataset.deleted_at.is_(None)
    return select(Model).join(Dataset, (Dataset.id == Model.dataset_id) & live)


def newest_succeeded(session: Session, dataset_id: UUID) -> UUID | None:
    """Return the dataset's newest run that succeeded."""
    return session.scalar(
        select(Run.id)
        .join(Job, Job.id == Run.id)
        .where(Run.dataset_id == dataset_id, Job.state == "succeeded")
        .order_by(Job.created_at.desc(), Job.id.desc())
        .limit(1)
    )


def figures(session: Session, run_id: UUID) -> dict[str, dict[str, Any]]:
    """Return what each stage of a run reported, by the stage's name."""
    query = select(Stage.name, Stage.figures).where(Stage.run_id == run_id)
    return {row.name: row.figures for row in session.execute(query)}


def stages_of(session: Session, run_ids: Collection[UUID]) -> dict[UUID, list[Stage]]:
    """Return the stages of runs, each run's in the graph's order."""
    order = {name.value: place for place, name in enumerate(WAITS_FOR)}
    found: dict[UUID, list[Stage]] = {}
    if run_ids:
        for stage in session.scalars(select(Stage).where(Stage.run_id.in_(run_ids))):
            found.setdefault(stage.run_id, []).append(stage)
    for stages in found.values():
        stages.sort(key=lambda stage: order[stage.name])
    return found


def seconds_of(session: Session, run_id: UUID) -> dict[str, float]:
    """Return what each finished stage of a run took, without its pauses."""
    took = worked_seconds()
    query = select(Stage.name, took.label("seconds")).where(
        Stage.run_id == run_id, took.is_not(None)
    )
    return {row.name: float(row.seconds) for row in session.execute(query)}


def unended_jobs(session: Session, dataset_id: UUID) -> list[Job]:
    """Return a dataset's jobs that have not ended, locked."""
    query = select(Job).where(Job.dataset_id == dataset_id, Job.state.not_in(ENDED))
    return list(session.scalars(query.order_by(Job.id).with_for_update(key_share=True)))


def import_is_held(session: Session, import_id: UUID) -> bool:
    """Say whether a worker holds a lease on the import now."""
    query = select(Import.id).where(Import.id == import_id, Import.lease_until > func.now())
    return session.scalar(query) is not None


def prompt_versions(session: Session, names: Collection[str]) -> set[int]:
    """Return the versions that every one of the prompts has."""
    query = select(Prompt.version).where(Prompt.name.in_(names)).group_by(Prompt.version)
    return set(session.scalars(query.having(func.count() == len(names))))
