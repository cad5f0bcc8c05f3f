"""How much the texts of users and items say: missing, short, long; and some of them to read."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from services.shared.db.repos.profiles import worded
from services.shared.db.tables import Embedding, Item, User

Table = type[User] | type[Item]

SHORT = 20
"""Characters below which a text says next to nothing."""

PLAIN_BYTES = 1.1
"""UTF-8 bytes a character up to which at most a tenth of a text can be of another script."""

READ = 2_000
"""Texts of either kind whose script is looked at."""


BEGINNING = 1_000
"""Characters of each that are looked at."""


@dataclass(frozen=True, kw_only=True)
class Wording:
    """Counts over the texts of one side; lengths are in characters."""

    profiles: int
    blank: int  # rows without a text that says anything, own or title
    titled: int  # rows known by their title alone
    short: int
    long: int
    median: float | None
    most: int | None
    plain: int  # texts that can only be Latin but for a tenth


def wording(session: Session, table: Table, dataset_id: UUID, *, max_chars: int) -> Wording:
    """Return the counts; a text of more than `max_chars` is cut in a prompt."""
    said, length = _said(table, dataset_id)
    own = said.c.own
    row = session.execute(
        select(
            func.count().label("profiles"),
            func.count().filter(said.c.text.is_(None)).label("blank"),
            func.count().filter(said.c.text.is_not(None), ~own).label("titled"),
            func.count().filter(length < SHORT).label("short"),
            func.count().filter(length > max_chars).label("long"),
            func.percentile_cont(0.5).within_group(length).label("median"),
            func.max(length).label("most"),
            func.count().filter(_is_plain(said.c.text)).label("plain"),
        ).select_from(said)
    ).one()
    return Wording(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


def some(session: Session, table: Table, dataset_id: UUID, *, plain: bool) -> list[str]:
    """Return the beginnings of up to READ texts that can only be Latin, or of others.

    They are drawn by a hash of the id: the same ones each time.
    """
    said, _ = _said(table, dataset_id)
    kind = _is_plain(said.c.text) if plain else ~_is_plain(said.c.text)
    query = select(func.left(said.c.text, BEGINNING)).where(said.c.text.is_not(None), kind)
    return list(session.scalars(query.order_by(func.md5(said.c.id), said.c.id).limit(READ)))


def unembedded(session: Session, table: Table, dataset_id: UUID, *, model: str) -> tuple[int, int]:
    """Return how many texts have no vector by this model yet, and their bytes in all."""
    known = (
        select(Embedding.text_sha256)
        .where(Embedding.model == model, Embedding.text_sha256 == table.text_sha256)
        .exists()
    )
    query = select(func.count(), func.coalesce(func.sum(func.octet_length(worded(table))), 0))
    row = session.execute(
        query.where(table.dataset_id == dataset_id, worded(table).is_not(None), ~known)
    ).one()
    return int(row[0]), int(row[1])


def _said(table: Table, dataset_id: UUID) -> tuple[Any, ColumnElement[int]]:
    """Return the rows of (id, text as a run knows it, whether it is its own), and the length."""
    text = worded(table)
    own = table.text.op("~")(r"\S").is_(True)
    query = select(table.id, text.label("text"), own.label("own"))
    said = query.where(table.dataset_id == dataset_id).subquery()
    return said, func.char_length(said.c.text)


def _is_plain(text: ColumnElement[str]) -> ColumnElement[bool]:
    return func.octet_length(text) <= PLAIN_BYTES * func.char_length(text)
