"""Answers kept under an Idempotency-Key for a day."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from services.shared.db.tables import IdempotencyKey

KEPT = timedelta(hours=24)


def lock(session: Session, project_id: UUID, key: str) -> bool:
    """Hold the key until the transaction ends; False when another transaction holds it."""
    query = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
    return bool(session.scalar(query, {"name": f"idempotency {project_id} {key}"}))


def find(session: Session, project_id: UUID, key: str) -> IdempotencyKey | None:
    """Return what is kept under the key; whatever is older than a day is dropped on the way."""
    session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.project_id == project_id, IdempotencyKey.created_at < func.now() - KEPT
        )
    )
    return session.scalars(
        select(IdempotencyKey).filter_by(project_id=project_id, key=key)
    ).one_or_none()


def keep(
    session: Session,
    *,
    project_id: UUID,
    key: str,
    request_sha256: bytes,
    status: int,
    answer: dict[str, Any],
) -> None:
    """Keep a request's answer; whoever calls this holds the key's lock."""
    session.add(
        IdempotencyKey(
            project_id=project_id,
            key=key,
            request_sha256=request_sha256,
            status=status,
            answer=answer,
        )
    )
    session.flush()
