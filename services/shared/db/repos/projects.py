"""Projects: made once by the operator."""

from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.shared.db.tables import Project
from services.shared.errors import ConflictError, NotFoundError


def create(session: Session, *, project_id: UUID, name: str) -> Project:
    """Return a new project, flushed; ConflictError when the name is taken."""
    project = Project(id=project_id, name=name)
    session.add(project)
    try:
        session.flush()
    except IntegrityError as error:
        raise ConflictError(f"A project named {name!r} exists.", code="NAME_TAKEN") from error
    return project


def exists(session: Session, project_id: UUID) -> bool:
    """Say whether the transaction sees a project of that id."""
    return session.get(Project, project_id) is not None


def get(session: Session, project_id: UUID) -> Project:
    """Return the project; NotFoundError unless the transaction may see it."""
    project = session.get(Project, project_id)
    if project is None:
        raise NotFoundError("project", project_id)
    return project
