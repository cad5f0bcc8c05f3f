"""What earlier runs and imports took, and for how much: the ground of every estimate."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from services.shared.db.tables import Import, Job, Run, Stage

OF_DATASET, ANYWHERE, IMPORTS = 3, 8, 100  # how many of the newest are read


@dataclass(frozen=True)
class Took:
    """A stage that ended well: its seconds, and the figures that it reported."""

    seconds: float
    figures: Mapping[str, Any]


@dataclass(frozen=True)
class Past:
    """A run that succeeded, by its stages."""

    llm: str
    stages: dict[str, Took] = field(default_factory=dict)


def runs(session: Session, ids: Sequence[UUID]) -> dict[UUID, Run]:
    """Return those of the jobs that are runs, by id."""
    found = session.scalars(select(Run).where(Run.id.in_(ids))) if ids else ()
    return {run.id: run for run in found}


def imports_of(session: Session, ids: Sequence[UUID]) -> dict[UUID, Import]:
    """Return those of the jobs that are imports, by id."""
    found = session.scalars(select(Import).where(Import.id.in_(ids))) if ids else ()
    return {row.id: row for row in found}


def of_dataset(session: Session, dataset_id: UUID) -> list[Past]:
    """Return the dataset's newest runs that succeeded, newest first."""
    newest = (
        select(Run.id, Run.llm)
        .join(Job, Job.id == Run.id)
        .where(Run.dataset_id == dataset_id, Job.state == "succeeded")
        .order_by(Job.created_at.desc(), Job.id.desc())
        .limit(OF_DATASET)
    )
    found = {row.id: Past(row.llm) for row in session.execute(newest)}
    took = worked_seconds()
    query = select(Stage.run_id, Stage.name, took.label("seconds"), Stage.figures)
    for row in session.execute(query.where(Stage.run_id.in_(found), took > 0)):
        found[row.run_id].stages[row.name] = Took(float(row.seconds), row.figures)
    return list(found.values())


def worked_seconds() -> ColumnElement[Any]:
    """Return what a stage took from its beginning to its end, without the pauses between them."""
    beginning, end = Stage.started_at, Stage.finished_at
    waited = func.waited_seconds(Stage.run_id, Stage.name, beginning, end)
    return func.extract("epoch", end - beginning) - waited


def anywhere(session: Session) -> list[Past]:
    """Return the newest runs of the whole installation, in numbers only, newest first."""
    found: dict[int, Past] = {}
    query = text("SELECT * FROM recent_stages(:runs) ORDER BY run")
    for row in session.execute(query, {"runs": ANYWHERE}):
        past = found.setdefault(row.run, Past(row.llm))
        past.stages[row.name] = Took(row.seconds, row.figures)
    return list(found.values())


def imports(session: Session, kind: str) -> list[tuple[int, float]]:
    """Return bytes and seconds of the newest imports of that kind, anywhere, newest first."""
    query = text("SELECT size_bytes, seconds FROM recent_imports(:kind, :jobs)")
    rows = session.execute(query, {"kind": kind, "jobs": IMPORTS})
    return [(row.size_bytes, row.seconds) for row in rows]


def uploaded(session: Session, dataset_id: UUID) -> dict[str, int]:
    """Return how many rows the dataset's imports brought in, by their kind."""
    query = select(Import.kind, func.sum(Import.accepted).label("rows")).where(
        Import.dataset_id == dataset_id, Import.visible_at.is_not(None)
    )
    counts: dict[str, int] = defaultdict(int)
    for row in session.execute(query.group_by(Import.kind)):
        counts[row.kind] = int(row.rows)
    return counts
