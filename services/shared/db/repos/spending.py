"""What runs have used, summed from the attempts."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Date, cast, func, select
from sqlalchemy.orm import Session

from services.shared.db.tables import Usage


@dataclass(frozen=True, kw_only=True)
class Spent:
    """One run's attempts with one model on one day."""

    run_id: UUID
    model: str
    day: date
    requests: int
    prompt_tokens: int
    completion_tokens: int


def of_runs(session: Session, run_ids: Collection[UUID]) -> list[Spent]:
    """Return the sums by run, model and day: a price holds from a day on."""
    day = cast(Usage.created_at, Date)
    query = (
        select(
            Usage.run_id,
            Usage.model,
            day.label("day"),
            func.count().label("requests"),
            func.coalesce(func.sum(Usage.prompt_tokens), 0).label("prompt_tokens"),
            func.coalesce(func.sum(Usage.completion_tokens), 0).label("completion_tokens"),
        )
        .where(Usage.run_id.in_(run_ids))
        .group_by(Usage.run_id, Usage.model, day)
    )
    return [Spent(**row) for row in session.execute(query).mappings()]
