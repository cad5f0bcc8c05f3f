"""API keys: looked up by prefix before any project is known, listed and revoked within one."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, text, tuple_, update
from sqlalchemy.orm import Session

from services.shared.db.tables import ApiKey
from services.shared.errors import NotFoundError


def authenticate(session: Session, prefix: str) -> Row[Any] | None:
    """Return id, project_id, role, secret_sha256, expires_at, revoked_at and name of a prefix."""
    return session.execute(
        text("SELECT * FROM identify(:prefix)"), {"prefix": prefix}
    ).one_or_none()


def add(session: Session, key: ApiKey) -> ApiKey:
    """Return the key with its moment, flushed."""
    session.add(key)
    session.flush()
    session.refresh(key)
    return key


def page(session: Session, *, size: int, after: tuple[datetime, UUID] | None) -> list[ApiKey]:
    """Return up to size + 1 keys of the project, oldest first."""
    query = select(ApiKey).order_by(ApiKey.created_at, ApiKey.id).limit(size + 1)
    if after is not None:
        query = query.where(tuple_(ApiKey.created_at, ApiKey.id) > after)
    return list(session.scalars(query))


def lock(session: Session, id_or_prefix: UUID | str) -> ApiKey:
    """Return a key of the project, its row locked; NotFoundError without one."""
    column = ApiKey.id if isinstance(id_or_prefix, UUID) else ApiKey.prefix
    query = select(ApiKey).where(column == id_or_prefix).with_for_update()
    key = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if key is None:
        raise NotFoundError("key", id_or_prefix)
    return key


def revoke(session: Session, key: ApiKey) -> None:
    """Let the key open nothing from now on."""
    session.execute(update(ApiKey).where(ApiKey.id == key.id).values(revoked_at=func.now()))
