"""Read a `filter`: what an item's attributes must satisfy, checked before anybody is asked."""

import time
from uuid import UUID

from services.shared import expression
from services.shared.db.repos import catalogue
from services.shared.db.session import unit_of_work
from services.shared.errors import InvalidError
from services.shared.expression import Comparison
from services.shared.scoring import MAX_FILTER

MAX_CLAUSES = 20
NAMED = 20
"""Attributes that the error names."""

KNOWN_SECONDS = 60.0
KNOWN_AT_MOST = 10_000

_KNOWN: dict[tuple[UUID, str], float] = {}  # until when an attribute counts as there


def read_filter(
    project_id: UUID, dataset_id: UUID, text: str | None, *, pointer: str
) -> tuple[Comparison, ...]:
    """Return the clauses; none without a filter.

    Raises InvalidError that shows where reading stopped, or an attribute that no item has.
    """
    if text is None:
        return ()
    if len(text) > MAX_FILTER:
        raise InvalidError(f"A filter has at most {MAX_FILTER:,} characters.", pointer=pointer)
    if not text.isprintable():
        raise InvalidError("A filter is one printable line.", pointer=pointer)
    clauses = expression.parse(text, None, pointer=pointer)
    if len(clauses) > MAX_CLAUSES:
        raise InvalidError(f"A filter has at most {MAX_CLAUSES} comparisons.", pointer=pointer)
    _check_attributes(project_id, dataset_id, clauses, pointer)
    return clauses


def _check_attributes(
    project_id: UUID, dataset_id: UUID, clauses: tuple[Comparison, ...], pointer: str
) -> None:
    now = time.monotonic()
    asked = dict.fromkeys(clause.field for clause in clauses)
    new = [name for name in asked if _KNOWN.get((dataset_id, name), 0.0) < now]
    if not new:
        return
    with unit_of_work(project_id) as session:
        for name in new:
            if not catalogue.has_attribute(session, dataset_id, name):
                there = catalogue.attribute_names(session, dataset_id)
                raise _unknown(name, there, pointer)
    if len(_KNOWN) > KNOWN_AT_MOST:
        _KNOWN.clear()
    _KNOWN.update(((dataset_id, name), now + KNOWN_SECONDS) for name in new)


def _unknown(name: str, there: list[str], pointer: str) -> InvalidError:
    named = ", ".join(there[:NAMED]) + (", …" if len(there) > NAMED else "")
    has = f"such as {named}" if there else "and items have none at all"
    return InvalidError(
        f"No item has an attribute {name!r}: a filter compares items' attributes, {has}.",
        pointer=pointer,
        code="UNKNOWN_ATTRIBUTE",
    )
