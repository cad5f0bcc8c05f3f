"""The audit log of a project: read by its admins and by the operator, written by every deed."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import AwareDatetime

from services.api.deps import AdminOrOperator, Unit
from services.api.paging import Paged, cut, moment_place
from services.api.schemas.audit import AuditAnswer, AuditLog
from services.api.strict import StrictRoute
from services.shared.db.repos import audit, projects
from services.shared.db.repos.audit import Action, Wanted
from services.shared.db.session import set_project, unit_of_work
from services.shared.errors import InvalidError, NotFoundError
from services.shared.settings import settings

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=StrictRoute)
NDJSON = "application/x-ndjson"
PRINTED = r"^[^\x00]+$"


def get_owner(
    caller: AdminOrOperator,
    project_id: Annotated[
        UUID | None, Query(description="whose: required of the operator, else your own project")
    ] = None,
) -> UUID:
    """Return whose log is meant; NotFoundError for another project's, InvalidError for nobody's."""
    if caller.project_id is None and project_id is None:
        detail = "The operator must name a project_id."
        raise InvalidError(detail, pointer="/query/project_id")
    if caller.project_id is not None and project_id not in {None, caller.project_id}:
        raise NotFoundError("project", project_id)
    return caller.project_id or project_id  # type: ignore[return-value] # one of them is there


def get_deeds(
    action: Annotated[Action | None, Query(description="one kind of deed")] = None,
    key: Annotated[
        str | None,
        Query(max_length=100, pattern=r"^[A-Za-z0-9-]+$", description="a key's id or prefix"),
    ] = None,
    author: Annotated[str | None, Query(min_length=1, max_length=200, pattern=PRINTED)] = None,
    dataset: Annotated[
        UUID | None, Query(description="one dataset's, also a deleted one's")
    ] = None,
) -> Wanted:
    """Return which deeds are meant, whenever they were done."""
    key_id = _uuid(key)
    prefix = key if key_id is None else None
    return Wanted(
        action=action, key_id=key_id, key_prefix=prefix, author=author, dataset_id=dataset
    )


def get_wanted(
    deeds: Annotated[Wanted, Depends(get_deeds)],
    since: Annotated[AwareDatetime | None, Query(description="from this moment on")] = None,
    until: Annotated[AwareDatetime | None, Query(description="before this moment")] = None,
) -> Wanted:
    """Return which entries are meant."""
    return replace(deeds, since=since, until=until)


@router.get(
    "",
    response_model=AuditLog,
    responses={
        200: {
            "description": f"a page; with `Accept: {NDJSON}` every entry, one a line",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        }
    },
)
def list_audit(
    owner: Annotated[UUID, Depends(get_owner)],
    wanted: Annotated[Wanted, Depends(get_wanted)],
    session: Unit,
    page: Paged,
    accept: Annotated[str, Header(include_in_schema=False)] = "application/json",
) -> Response:
    """List who did what in a project, newest first; for its admins and the operator."""
    after = moment_place(page)
    set_project(session, owner)
    projects.get(session, owner)
    if NDJSON in accept:
        return StreamingResponse(_lines(owner, wanted), media_type=NDJSON)
    rows = audit.page(session, wanted, size=page.size, after=after)
    answer = AuditLog(
        entries=[AuditAnswer.model_validate(row) for row in rows[: page.size]],
        next_page_token=cut(rows, page, lambda row: (row.created_at, row.id)),
    )
    return Response(answer.model_dump_json(), media_type="application/json")


def _uuid(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return None


def _lines(project_id: UUID, wanted: Wanted) -> Iterator[bytes]:
    """Yield every entry, a page a transaction: the request's own has ended by then."""
    after, size = None, settings().limits.page_size
    while True:
        with unit_of_work(project_id) as session:
            rows = audit.page(session, wanted, size=size, after=after)
        for row in rows[:size]:
            yield AuditAnswer.model_validate(row).model_dump_json().encode() + b"\n"
        if len(rows) <= size:
            return
        after = rows[size - 1].created_at, rows[size - 1].id
