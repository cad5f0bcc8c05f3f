"""Who did what: written in the transaction of the deed itself, never changed afterwards."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import structlog
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from services.shared.db.tables import AuditEntry
from services.shared.ids import new_id

Action = Literal[
    "project.create",
    "key.create",
    "key.revoke",
    "dataset.create",
    "dataset.change",
    "dataset.delete",
    "dataset.erase",
    "dataset.rollback",
    "user.delete",
    "item.delete",
    "verdict.set",
    "verdict.withdraw",
    "refinement.undo",
    "refinement.redo",
    "model.promote",
]


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts: a project's key, the operator, or the system itself."""

    kind: Literal["key", "operator", "system"]
    key_id: UUID | None = None
    key_name: str | None = None
    key_prefix: str | None = None
    author: str | None = None  # whom the caller names; nobody checks it

    def by(self, author: str | None) -> "Actor":
        """Return the actor in the name of `author`."""
        return replace(self, author=author)


SYSTEM = Actor(kind="system")


@dataclass(frozen=True, kw_only=True)
class Deed:
    """What was done: `subject` holds ids and what was before and after, and no text of anyone's."""

    action: Action
    subject: dict[str, Any]
    dataset_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which entries; None asks for all."""

    action: str | None = None
    key_id: UUID | None = None
    key_prefix: str | None = None
    actor: str | None = None
    author: str | None = None
    dataset_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


def add(session: Session, actor: Actor, *deeds: Deed, project_id: UUID) -> None:
    """Write the deeds down, under the request that they were asked for in."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    who = vars(actor).copy()
    who["actor"] = who.pop("kind")
    session.add_all(
        AuditEntry(
            id=new_id(),
            project_id=project_id,
            action=deed.action,
            subject=deed.subject,
            dataset_id=deed.dataset_id,
            request_id=request_id,
            **who,
        )
        for deed in deeds
    )
    session.flush()


def page(
    session: Session, wanted: Wanted, *, size: int, after: tuple[datetime, UUID] | None
) -> list[AuditEntry]:
    """Return up to size + 1 entries of the project, newest first."""
    query = select(AuditEntry)
    for name in ("action", "key_id", "key_prefix", "actor", "author", "dataset_id"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(getattr(AuditEntry, name) == value)
    if wanted.since is not None:
        query = query.where(AuditEntry.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.created_at < wanted.until)
    if after is not None:
        query = query.where(tuple_(AuditEntry.created_at, AuditEntry.id) < after)
    ordered = query.order_by(AuditEntry.created_at.desc(), AuditEntry.id.desc())
    return list(session.scalars(ordered.limit(size + 1)))
