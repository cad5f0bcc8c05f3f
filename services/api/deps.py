"""What routes ask for: the caller by role, a transaction, the path's dataset, an answer once."""

from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request, Security
from fastapi.security import HTTPBearer
from pydantic import BeforeValidator, StringConstraints
from sqlalchemy.orm import Session

from services.api import idempotency
from services.api.auth import CALLER, Caller, Keyring, Role
from services.api.idempotency import KeyHeader, Once
from services.api.schemas.base import MAX_ID_BYTES, CallerId, id_of_segment
from services.shared.db.repos import datasets
from services.shared.db.repos.audit import Actor
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Dataset
from services.shared.errors import ForbiddenError, NotFoundError

_scheme = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    bearerFormat="wn_<prefix>_<secret>",
    description="An API key of a project, or the operator's key for projects and keys.",
)


def get_caller(
    request: Request, _documented: Annotated[object, Security(_scheme)] = None
) -> Caller:
    """Return who calls, as the gate found."""
    caller = request.scope[CALLER]
    assert isinstance(caller, Caller)  # noqa: S101 - the gate stands before every /v1 route
    return caller


class _Needs:
    """A dependency: the caller's project, if its role reaches `role`."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def __call__(self, caller: Annotated[Caller, Depends(get_caller)]) -> UUID:
        return caller.require(self.role)


AnyCaller = Annotated[Caller, Depends(get_caller)]


def get_operator(caller: AnyCaller) -> Caller:
    """Return the operator; ForbiddenError for anybody else."""
    if caller.role != "operator":
        raise ForbiddenError("Only the operator's key may do this.")
    return caller


def get_admin_or_operator(caller: AnyCaller) -> Caller:
    """Return an admin of a project, or the operator."""
    if caller.role != "operator":
        caller.require("admin")
    return caller


def get_keyring(request: Request) -> Keyring:
    """Return what remembers the keys in this process."""
    keyring: Keyring = request.app.state.keyring
    return keyring


def get_actor(caller: AnyCaller) -> Actor:
    """Return the caller as the audit log names them."""
    return caller.actor()


Who = Annotated[Actor, Depends(get_actor)]
Operator = Annotated[Caller, Depends(get_operator)]
AdminOrOperator = Annotated[Caller, Depends(get_admin_or_operator)]
Keys = Annotated[Keyring, Depends(get_keyring)]
Fingerprint = Annotated[bytes, Depends(idempotency.fingerprint)]
Reader = Annotated[UUID, Depends(_Needs("read"))]
Writer = Annotated[UUID, Depends(_Needs("write"))]


def get_session(caller: AnyCaller) -> Iterator[Session]:
    """Yield the request's one transaction, in sight of the caller's project only.

    It commits before the answer leaves: use it with scope="function".
    """
    with unit_of_work(caller.project_id) as session:
        yield session


Unit = Annotated[Session, Depends(get_session, scope="function")]


def _unquoted(raw: object) -> object:
    """Return a path segment as the caller wrote it before percent-encoding."""
    return id_of_segment(raw) if isinstance(raw, str) else raw


PathId = Annotated[
    str,
    BeforeValidator(_unquoted),
    StringConstraints(max_length=MAX_ID_BYTES),
    Path(description="the caller's own id, percent-encoded", examples=["u%2F42"]),
]
QueryId = Annotated[CallerId | None, Query(description="the caller's own id", examples=["u/42"])]
Uuid = Annotated[str, Path(examples=["01890a5d-ac96-774b-bcce-b302099a8057"])]


def get_dataset(session: Unit, _project: Reader, dataset: Uuid) -> Dataset:
    """Return the live dataset of the path; NotFoundError also when it is another project's."""
    return datasets.live(session, uuid_or_404("dataset", dataset))


def uuid_or_404(kind: str, text: str) -> UUID:
    """Return a path segment as the id that it must be; no other text names a thing of ours."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError(kind, text) from None


LiveDataset = Annotated[Dataset, Depends(get_dataset)]


def get_once(
    session: Unit,
    project: Writer,
    request_sha256: Fingerprint,
    key: KeyHeader = None,
) -> Once:
    """Return the right to act once for a project's own key."""
    return idempotency.begin(session, project, key, request_sha256)


ActOnce = Annotated[Once, Depends(get_once)]
