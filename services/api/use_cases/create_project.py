"""Make a tenant."""

from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy.orm import Session

from services.shared.db.repos import audit, projects
from services.shared.db.repos.audit import Actor, Deed
from services.shared.db.tables import Project
from services.shared.errors import ConflictError
from services.shared.ids import new_id


def id_for(idempotency_key: str | None) -> UUID:
    """Return the id that a new project gets.

    A repeated request must find the answer that it was given, which only its own project may
    see: so the id of a project made under an Idempotency-Key follows from that key.
    """
    if idempotency_key is None:
        return new_id()
    return uuid5(NAMESPACE_URL, f"winnow:project:{idempotency_key}")


def create_project(session: Session, *, project_id: UUID, name: str, actor: Actor) -> Project:
    """Return the new project; ConflictError when the name or the id is taken."""
    if projects.exists(session, project_id):
        raise ConflictError(
            "This Idempotency-Key made a project more than a day ago; take another.",
            code="IDEMPOTENCY_KEY_OUTLIVED",
        )
    project = projects.create(session, project_id=project_id, name=name)
    deed = Deed(action="project.create", subject={"name": name})
    audit.add(session, actor, deed, project_id=project_id)
    session.refresh(project)
    return project
