"""Insert or replace users or items."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.db.repos import datasets, profiles
from services.shared.db.repos.profiles import Profile
from services.shared.db.tables import Item, User
from services.shared.errors import Fault, InvalidError, TooLargeError
from services.shared.settings import settings

BULK_ROWS = 1_000
Table = type[User] | type[Item]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How many came, how many differ from before, and the dataset's version now."""

    received: int
    changed: int
    version: int


def put_profiles(
    session: Session, table: Table, *, dataset_id: UUID, rows: Sequence[Profile]
) -> Outcome:
    """Write the profiles, all or none; where an id comes twice the last one stands."""
    if len(rows) > BULK_ROWS:
        raise TooLargeError(f"{len(rows):,} rows came and {BULK_ROWS:,} are the limit.")
    _check_texts(rows, table.__tablename__)
    dataset = datasets.lock(session, dataset_id)
    last = list({row.id: row for row in rows}.values())
    scope = {"project_id": dataset.project_id, "dataset_id": dataset_id}
    changed = _upsert(session, table, last, **scope)
    if changed:
        dataset.version += 1
        session.flush()
    return Outcome(received=len(rows), changed=changed, version=dataset.version)


def check_text(text: str | None, *, pointer: str) -> None:
    """Raise InvalidError when the text of a profile or an interaction is over the limit."""
    limit = settings().limits.text_chars
    if text is not None and len(text) > limit:
        detail = f"A text may have {limit:,} characters."
        raise InvalidError(detail, pointer=pointer, code="TEXT_TOO_LONG")


def _upsert(
    session: Session, table: Table, rows: Sequence[Profile], *, project_id: UUID, dataset_id: UUID
) -> int:
    scope = {"project_id": project_id, "dataset_id": dataset_id}
    if table is User:
        return profiles.upsert(session, User, profiles=rows, **scope)
    return profiles.upsert(session, Item, profiles=rows, **scope)


def _check_texts(rows: Sequence[Profile], noun: str) -> None:
    limit = settings().limits.text_chars
    faults = [
        Fault(
            code="TEXT_TOO_LONG",
            detail=f"A text may have {limit:,} characters.",
            pointer=f"/{noun}/{index}/text",
            index=index,
        )
        for index, row in enumerate(rows)
        if row.text is not None and len(row.text) > limit
    ]
    if faults:
        raise InvalidError(faults[0].detail, code="TEXT_TOO_LONG", errors=faults)
