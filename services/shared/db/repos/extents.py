"""How much of a log there is to learn from, counted before a run begins."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, distinct, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.shared.db.tables import Interaction
from services.shared.expression import Comparison, Operator

COLUMNS: Mapping[str, InstrumentedAttribute[Any]] = {
    "value": Interaction.value,
    "type": Interaction.type,
}
OPERATORS: Mapping[Operator, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Counts over the positive events of a log."""

    interactions: int
    users: int
    items: int
    val_users: int  # with an event that an uploaded column puts into validation
    test_users: int


def extent(session: Session, dataset_id: UUID, positive: Sequence[Comparison] = ()) -> Extent:
    """Return the counts of positive events and of distinct users and items in them."""
    row = session.execute(
        select(
            func.count().label("interactions"),
            _distinct(Interaction.user_id).label("users"),
            _distinct(Interaction.item_id).label("items"),
            _distinct(case((Interaction.split == "val", Interaction.user_id))).label("val_users"),
            _distinct(case((Interaction.split == "test", Interaction.user_id))).label("test_users"),
        ).where(*_positive(dataset_id, positive))
    ).one()
    return Extent(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


def undated_pairs(session: Session, dataset_id: UUID, positive: Sequence[Comparison] = ()) -> int:
    """Return how many positive (user, item) pairs have no event with a timestamp."""
    pairs = (
        select(Interaction.user_id)
        .where(*_positive(dataset_id, positive))
        .group_by(Interaction.user_id, Interaction.item_id)
        .having(func.count(Interaction.timestamp) == 0)
        .subquery()
    )
    return session.scalar(select(func.count()).select_from(pairs)) or 0


def _distinct(column: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ColumnElement[int]:
    return func.count(distinct(column))


def holding(clauses: Sequence[Comparison]) -> list[ColumnElement[bool]]:
    """Return `positive` as conditions; a missing value satisfies none, as in the snapshot."""
    return [OPERATORS[one.operator](COLUMNS[one.field], one.operand) for one in clauses]


def _positive(dataset_id: UUID, clauses: Sequence[Comparison]) -> list[ColumnElement[bool]]:
    return [Interaction.dataset_id == dataset_id, *holding(clauses)]
