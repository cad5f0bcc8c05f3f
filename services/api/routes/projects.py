"""Projects: made by the operator."""

from fastapi import APIRouter, Response

from services.api import idempotency
from services.api.deps import Fingerprint, Operator, Unit, Who
from services.api.idempotency import KeyHeader
from services.api.schemas.projects import NewProject, ProjectAnswer
from services.api.strict import StrictRoute
from services.api.use_cases.create_project import create_project as make
from services.api.use_cases.create_project import id_for
from services.shared.db.session import set_project

router = APIRouter(prefix="/v1/projects", tags=["projects"], route_class=StrictRoute)


@router.post("", status_code=201, response_model=ProjectAnswer)
def create_project(
    body: NewProject,
    _caller: Operator,
    who: Who,
    session: Unit,
    request_sha256: Fingerprint,
    key: KeyHeader = None,
) -> Response:
    """Make a project; only the operator's key may."""
    project_id = id_for(key)
    set_project(session, project_id)
    once = idempotency.begin(session, project_id, key, request_sha256)
    project = make(session, project_id=project_id, name=body.name, actor=who)
    return once.answer(201, ProjectAnswer.model_validate(project))
