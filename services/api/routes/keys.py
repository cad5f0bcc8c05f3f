"""Keys: an admin's own project's, or any project's by the operator."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from services.api import idempotency
from services.api.auth import Caller, new_secret
from services.api.deps import AdminOrOperator, Fingerprint, Keys, Unit, Who
from services.api.idempotency import KeyHeader
from services.api.paging import Paged, cut, moment_place
from services.api.schemas.projects import CreatedKey, KeyAnswer, NewKey
from services.api.schemas.projects import Keys as KeysAnswer
from services.api.strict import StrictRoute
from services.api.use_cases.create_key import create_key as make
from services.api.use_cases.revoke_key import parse_name, project_of
from services.api.use_cases.revoke_key import revoke_key as revoke
from services.shared.db.repos import keys
from services.shared.db.session import set_project
from services.shared.errors import InvalidError, NotFoundError

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=StrictRoute)
Owner = Annotated[
    UUID | None, Query(description="whose keys: required of the operator, else your own project")
]


@router.post("", status_code=201, response_model=CreatedKey)
def create_key(
    body: NewKey,
    caller: AdminOrOperator,
    who: Who,
    session: Unit,
    request_sha256: Fingerprint,
    key: KeyHeader = None,
) -> Response:
    """Make a key; its secret stands in this answer and nowhere else."""
    project_id = _owner(caller, body.project_id, pointer="/project_id")
    set_project(session, project_id)
    once = idempotency.begin(session, project_id, key, request_sha256)
    prefix, text, secret_sha256 = new_secret()
    made = make(
        session,
        project_id=project_id,
        name=body.name,
        role=body.role,
        expires_at=body.expires_at,
        prefix=prefix,
        secret_sha256=secret_sha256,
        actor=who,
    )
    answer = CreatedKey(**KeyAnswer.model_validate(made).model_dump(), key=text)
    return once.answer(201, answer, secret=frozenset({"key"}))


@router.get("")
def list_keys(
    caller: AdminOrOperator, session: Unit, page: Paged, project_id: Owner = None
) -> KeysAnswer:
    """List the keys of a project, without their secrets, oldest first."""
    set_project(session, _owner(caller, project_id, pointer="/query/project_id"))
    rows = keys.page(session, size=page.size, after=moment_place(page))
    return KeysAnswer(
        keys=[KeyAnswer.model_validate(row) for row in rows[: page.size]],
        next_page_token=cut(rows, page, lambda row: (row.created_at, row.id)),
    )


@router.delete("/{key}", status_code=204)
def revoke_key(
    key: Annotated[str, Path(description="its id or its prefix", examples=["3f9a1c07b2de"])],
    caller: AdminOrOperator,
    who: Who,
    session: Unit,
    keyring: Keys,
    project_id: Owner = None,
) -> None:
    """Revoke a key; it stops working at once here, and within five seconds everywhere."""
    name = parse_name(key)
    if caller.project_id is None and project_id is None and isinstance(name, str):
        project_id = project_of(session, name)
    set_project(session, _owner(caller, project_id, pointer="/query/project_id"))
    keyring.forget(revoke(session, name, actor=who))


def _owner(caller: Caller, named: UUID | None, *, pointer: str) -> UUID:
    if caller.project_id is None:
        if named is None:
            raise InvalidError("The operator must name a project_id.", pointer=pointer)
        return named
    if named not in {None, caller.project_id}:
        raise NotFoundError("project", named)
    return caller.project_id
