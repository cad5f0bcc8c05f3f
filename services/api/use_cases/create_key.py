"""Make a key of a project."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.clock import utc_now
from services.shared.db.repos import audit, keys, projects
from services.shared.db.repos.audit import Actor, Deed
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
    actor: Actor,
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
    made = keys.add(session, key)
    deed = Deed(action="key.create", subject=named(made))
    audit.add(session, actor, deed, project_id=project_id)
    return made


def named(key: ApiKey) -> dict[str, Any]:
    """Return what the audit log keeps of a key: all but its secret's hash."""
    expires = None if key.expires_at is None else key.expires_at.isoformat()
    return {
        "key_id": str(key.id),
        "prefix": key.prefix,
        "name": key.name,
        "role": key.role,
        "expires_at": expires,
    }
