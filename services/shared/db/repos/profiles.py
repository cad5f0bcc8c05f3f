"""Users and items alike: an id, a text, attributes."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, case, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.shared.db.tables import Item, User
from services.shared.errors import NotFoundError

P = TypeVar("P", User, Item)


@dataclass(frozen=True)
class Profile:
    """A profile as its owner wrote it; an empty text is none."""

    id: str
    text: str | None
    attributes: dict[str, Any]


def worded(table: type[User] | type[Item]) -> ColumnElement[str | None]:
    """Return the text by which a run knows a thing: its own if it says anything, else its title.

    The snapshot copies by the same rule.
    """
    title = func.nullif(table.attributes["title"].astext, "")
    return case((table.text.op("~")(r"\S"), table.text), else_=title)


def text_sha256(text: str | None) -> bytes | None:
    """Return the hash under which the text's vector is kept."""
    return hashlib.sha256(text.encode()).digest() if text else None


def upsert(
    session: Session,
    table: type[P],
    *,
    project_id: UUID,
    dataset_id: UUID,
    profiles: Sequence[Profile],
) -> int:
    """Insert or replace the profiles, no id twice; return how many differ from what was there.

    Those that do not differ keep their `updated_at`.
    """
    if not profiles:
        return 0
    rows = [
        {
            "project_id": project_id,
            "dataset_id": dataset_id,
            "id": profile.id,
            "text": profile.text or None,
            "text_sha256": text_sha256(profile.text),
            "attributes": profile.attributes,
        }
        for profile in profiles
    ]
    statement = insert(table).values(rows)
    new = statement.excluded
    changed = or_(
        table.text_sha256.is_distinct_from(new.text_sha256), table.attributes != new.attributes
    )
    written = statement.on_conflict_do_update(
        index_elements=["dataset_id", "id"],
        set_={
            "text": new.text,
            "text_sha256": new.text_sha256,
            "attributes": new.attributes,
            "updated_at": func.now(),
        },
        where=changed,
    )
    return len(session.execute(written.returning(table.id)).all())


def get(session: Session, table: type[P], dataset_id: UUID, ident: str) -> P:
    """Return one profile; NotFoundError without one."""
    profile = session.get(table, (dataset_id, ident))
    if profile is None:
        raise NotFoundError(table.__name__.lower(), ident)
    return profile


def page(
    session: Session, table: type[P], dataset_id: UUID, *, size: int, after: str | None
) -> list[P]:
    """Return up to size + 1 profiles by the bytes of their ids."""
    query = select(table).where(table.dataset_id == dataset_id).order_by(table.id).limit(size + 1)
    if after is not None:
        query = query.where(table.id > after)
    return list(session.scalars(query))


def remove(session: Session, table: type[P], dataset_id: UUID, ident: str) -> None:
    """Delete one profile; NotFoundError without one."""
    statement = delete(table).where(table.dataset_id == dataset_id, table.id == ident)
    if session.scalar(statement.returning(table.id)) is None:
        raise NotFoundError(table.__name__.lower(), ident)


def known(
    session: Session, table: type[P], dataset_id: UUID, idents: Collection[str]
) -> frozenset[str]:
    """Return those of `idents` that have a profile."""
    query = select(table.id).where(table.dataset_id == dataset_id, table.id.in_(idents))
    return frozenset(session.scalars(query))
