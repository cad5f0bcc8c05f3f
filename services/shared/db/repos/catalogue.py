"""Items as recommending reads them: which satisfy a filter, and which came after a model."""

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Numeric, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from services.shared.db.repos.extents import OPERATORS
from services.shared.db.repos.profiles import worded
from services.shared.db.tables import Item, User
from services.shared.expression import Comparison
from services.shared.llm.cache_key import text_key

SAMPLED = 1_000
"""Items whose attributes are named when a filter asks for one that there is not."""

_CHUNK = 5_000  # ids per query

_NUMBER = "^-?[0-9]{1,100}([.][0-9]{1,100})?$"


@dataclass(frozen=True)
class Told:
    """A text and the hash of its vector; who has no text of its own is known by its title."""

    id: str
    text: str
    sha256: bytes


def matching(
    session: Session,
    dataset_id: UUID,
    idents: Collection[str],
    clauses: Sequence[Comparison],
) -> frozenset[str]:
    """Return those items of `idents` that satisfy every clause; a missing attribute satisfies none.

    A number is compared as one, also where it was uploaded as text; `=` holds for a list that
    contains the operand.
    """
    asked, kept = list(idents), set[str]()
    conditions = [_holds(clause) for clause in clauses]
    for start in range(0, len(asked), _CHUNK):
        query = select(Item.id).where(
            Item.dataset_id == dataset_id,
            Item.id.in_(asked[start : start + _CHUNK]),
            *conditions,
        )
        kept.update(session.scalars(query))
    return frozenset(kept)


def has_attribute(session: Session, dataset_id: UUID, name: str) -> bool:
    """Say whether any item has an attribute of that name."""
    found = select(Item.id).where(Item.dataset_id == dataset_id, Item.attributes.has_key(name))
    return session.scalar(found.limit(1)) is not None


def attribute_names(session: Session, dataset_id: UUID) -> list[str]:
    """Return the names of the attributes of the first items, sorted."""
    some = select(Item.attributes).where(Item.dataset_id == dataset_id).limit(SAMPLED).subquery()
    names = select(func.jsonb_object_keys(some.c.attributes)).distinct()
    return sorted(session.scalars(names))


def outside(session: Session, dataset_id: UUID, known: Container[str], *, most: int) -> list[Told]:
    """Return up to `most` items that have a text and are not `known`, the latest written first."""
    query = (
        select(Item.id)
        .where(Item.dataset_id == dataset_id, worded(Item).is_not(None))
        .order_by(Item.updated_at.desc(), Item.id)
    )
    rows = session.scalars(query.execution_options(yield_per=10_000))  # ids: texts may be long
    strangers = list(islice((ident for ident in rows if ident not in known), most))
    told = texts(session, Item, dataset_id, strangers)
    return [told[ident] for ident in strangers if ident in told]


def texts(
    session: Session, table: type[Item] | type[User], dataset_id: UUID, idents: Collection[str]
) -> dict[str, Told]:
    """Return the texts of those of `idents` that have one."""
    text = worded(table)
    query = select(table.id, text.label("text")).where(
        table.dataset_id == dataset_id, table.id.in_(idents), text.is_not(None)
    )
    return {row.id: _told(row.id, row.text) for row in session.execute(query)}


def _told(ident: str, text: str) -> Told:
    return Told(ident, text, text_key(text))


def _holds(clause: Comparison) -> ColumnElement[bool]:
    value = Item.attributes[clause.field]
    if isinstance(clause.operand, float):
        return _compares(value, clause)
    said: ColumnElement[bool] = value.contains(cast(literal(clause.operand, JSONB), JSONB))
    if clause.operator == "=":
        return said
    present: ColumnElement[bool] = Item.attributes.has_key(clause.field)
    return present & ~said


def _compares(value: Any, clause: Comparison) -> ColumnElement[bool]:  # noqa: ANN401 - SQLAlchemy's index of JSONB has no public type
    kind, text = func.jsonb_typeof(value), value.astext
    # CASE: Postgres may otherwise cast before it has looked whether there is a number
    number = case(
        (kind == "number", cast(text, Numeric)),
        ((kind == "string") & text.regexp_match(_NUMBER), cast(text, Numeric)),
    )
    held: ColumnElement[bool] = OPERATORS[clause.operator](number, Decimal(repr(clause.operand)))
    return held
