"""Take a key back."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.api.use_cases.create_key import named
from services.shared.db.repos import audit, keys
from services.shared.db.repos.audit import Actor, Deed
from services.shared.errors import NotFoundError


def parse_name(text: str) -> UUID | str:
    """Return a key's id, or its prefix, also where the whole key was given by mistake."""
    try:
        return UUID(text)
    except ValueError:
        return text.removeprefix("wn_").split("_", maxsplit=1)[0]


def project_of(session: Session, name: UUID | str) -> UUID:
    """Return whose key a prefix names, for the operator; NotFoundError for an id or without one."""
    row = keys.authenticate(session, name) if isinstance(name, str) else None
    if row is None:
        raise NotFoundError("key", name)
    project_id: UUID = row.project_id
    return project_id


def revoke_key(session: Session, name: UUID | str, *, actor: Actor) -> str:
    """Revoke the project's key and return its prefix; NotFoundError without one.

    A second revocation changes nothing: the first one's moment stands.
    """
    key = keys.lock(session, name)
    if key.revoked_at is None:
        keys.revoke(session, key)
        deed = Deed(action="key.revoke", subject=named(key))
        audit.add(session, actor, deed, project_id=key.project_id)
    return key.prefix
