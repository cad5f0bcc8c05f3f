"""What the events of a log are: their times, types and values, and which of them came twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.shared.db.repos.extents import conditions
from services.shared.db.tables import Interaction
from services.shared.expression import Comparison

SHOWN = 20
"""Types or values that are counted by name; what is rarer is summed up as others."""


@dataclass(frozen=True, kw_only=True)
class Events:
    """Counts over all events of a log, positive or not."""

    events: int
    users: int
    items: int
    positive: int
    first: datetime | None
    last: datetime | None
    undated: int
    future: int
    valued: int
    least: float | None
    most: float | None


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """Events beyond the first of their pair, and beyond the first of the very same event."""

    pair: int
    event: int


def events(session: Session, dataset_id: UUID, positive: Sequence[Comparison]) -> Events:
    """Return the counts, in one reading of the log."""
    held = conditions(dataset_id, positive)[1:]
    moment = Interaction.timestamp
    row = session.execute(
        select(
            func.count().label("events"),
            func.count(Interaction.user_id.distinct()).label("users"),
            func.count(Interaction.item_id.distinct()).label("items"),
            func.count().filter(and_(true(), *held)).label("positive"),
            func.min(moment).label("first"),
            func.max(moment).label("last"),
            func.count().filter(moment.is_(None)).label("undated"),
            func.count().filter(moment > func.now()).label("future"),
            func.count(Interaction.value).label("valued"),
            func.min(Interaction.value).label("least"),
            func.max(Interaction.value).label("most"),
        ).where(Interaction.dataset_id == dataset_id)
    ).one()
    return Events(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


def repeats(session: Session, dataset_id: UUID) -> Repeats:
    """Return how many events repeat a pair, or the same event: by event_id, else by its key."""
    pair = (Interaction.user_id, Interaction.item_id)
    named = Interaction.event_id
    key = (
        *pair,
        case((named.is_(None), Interaction.type)),
        case((named.is_(None), Interaction.timestamp)),
        named,
    )
    return Repeats(pair=_beyond(session, dataset_id, pair), event=_beyond(session, dataset_id, key))


def types(session: Session, dataset_id: UUID) -> list[tuple[str | None, int]]:
    """Return the commonest types with their numbers; None for events without one."""
    return _commonest(session, dataset_id, Interaction.type)


def values(session: Session, dataset_id: UUID) -> list[tuple[float | None, int]]:
    """Return the commonest values with their numbers; None for events without one."""
    return _commonest(session, dataset_id, Interaction.value)


def _beyond(session: Session, dataset_id: UUID, key: Sequence[Any]) -> int:
    groups = (
        select(func.count().label("n"))
        .where(Interaction.dataset_id == dataset_id)
        .group_by(*key)
        .subquery()
    )
    found = session.scalar(select(func.coalesce(func.sum(groups.c.n - 1), 0)))
    return int(found or 0)


def _commonest(
    session: Session, dataset_id: UUID, column: InstrumentedAttribute[Any]
) -> list[tuple[Any, int]]:
    query = (
        select(column, func.count())
        .where(Interaction.dataset_id == dataset_id)
        .group_by(column)
        .order_by(func.count().desc(), column)
        .limit(SHOWN)
    )
    return [(name, number) for name, number in session.execute(query)]
