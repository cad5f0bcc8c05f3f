"""Make a tenant."""

import hashlib
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.db.repos import projects
from services.shared.db.tables import Project
from services.shared.ids import new_id


def id_for(idempotency_key: str | None) -> UUID:
    """Return the id that a new project gets.

    A repeated request must find the answer that it was given, which only its own project may
    see: so the id of a project made under an Idempotency-Key follows from that key.
    """
    if idempotency_key is None:
        return new_id()
    digest = hashlib.sha256(b"project " + idempotency_key.encode()).digest()
    return UUID(bytes=digest[:16], version=8)  # RFC 9562: made by a rule of our own


def create_project(session: Session, *, project_id: UUID, name: str) -> Project:
    """Return the new project; ConflictError when the name is taken."""
    project = projects.create(session, project_id=project_id, name=name)
    session.refresh(project)
    return project
