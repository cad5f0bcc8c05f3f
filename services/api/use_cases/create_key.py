"""Make a key of a project."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.clock import utc_now
from services.shared.db.repos import keys, projects
from services.shared.db.tables import ApiKey
from services.shared.errors import InvalidError


def create_key(
    session: Session,
    *,
    project_id: UUID,
    name: str,
    role: str,
    expires_at: datetime | None,
    prefix: str,
    secret_sha256: bytes,
) -> ApiKey:
    """Return the new key; NotFoundError without its project, InvalidError when it is over."""
    if expires_at is not None and expires_at <= utc_now():
        raise InvalidError("expires_at lies in the past.", pointer="/expires_at")
    projects.get(session, project_id)
    key = ApiKey(
        project_id=project_id,
        name=name,
        role=role,
        prefix=prefix,
        secret_sha256=secret_sha256,
        expires_at=expires_at,
    )
    return keys.add(session, key)
