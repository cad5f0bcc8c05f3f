"""Imports: claimed with a lease, fenced by its token, ended once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from services.shared.broker import enqueue
from services.shared.db.repos import jobs
from services.shared.db.tables import Import, Job
from services.shared.errors import LeaseLostError, NotFoundError
from services.shared.queues import Task
from services.shared.settings import settings


@dataclass(frozen=True)
class ImportLease:
    """The right to work on an import while the token is the newest."""

    import_id: UUID
    project_id: UUID
    token: int
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What became of a file's rows; `errors` holds the first hundred, `errors_path` them all."""

    accepted: int
    duplicates: int
    rejected: int
    errors: Sequence[Mapping[str, Any]]
    errors_path: str | None


def create(session: Session, row: Import) -> None:
    """Keep a new import and send for a worker."""
    session.add(row)
    session.flush()
    enqueue(session, Task.IMPORT, row.id, project_id=row.project_id)


def get(session: Session, import_id: UUID, *, dataset_id: UUID | None = None) -> Import:
    """Return the import; NotFoundError when this project, or the dataset, has none of that id."""
    row = session.get(Import, import_id)
    if row is None or dataset_id not in {None, row.dataset_id}:
        raise NotFoundError("import", import_id)
    return row


def page(
    session: Session, dataset_id: UUID, *, size: int, after: tuple[datetime, UUID] | None
) -> list[Import]:
    """Return up to size + 1 imports of a dataset, newest first."""
    query = select(Import).where(Import.dataset_id == dataset_id).limit(size + 1)
    if after is not None:
        query = query.where(tuple_(Import.created_at, Import.id) < after)
    return list(session.scalars(query.order_by(Import.created_at.desc(), Import.id.desc())))


def claim(session: Session, import_id: UUID) -> ImportLease | None:
    """Return a lease on an import that nobody holds.

    None when another does, it is gone, or it is paused and not due: see `pauses`.
    """
    waits = select(Job.id).where(
        Job.id == import_id,
        Job.state == "paused",
        or_(Job.retry_at.is_(None), Job.retry_at > func.now()),
    )
    row = session.execute(
        update(Import)
        .where(
            Import.id == import_id,
            or_(Import.lease_until.is_(None), Import.lease_until < func.now()),
            ~waits.exists(),
        )
        .values(
            lease_token=Import.lease_token + 1, attempts=Import.attempts + 1, lease_until=_until()
        )
        .returning(Import.project_id, Import.lease_token, Import.attempts)
    ).one_or_none()
    if row is None:
        return None
    return ImportLease(import_id, row.project_id, row.lease_token, row.attempts)


def renew(session: Session, lease: ImportLease) -> None:
    """Push the lease's end out; LeaseLostError when a newer token has come."""
    _fenced(session, lease, {"lease_until": _until()})


def release(session: Session, lease: ImportLease) -> None:
    """Give the import back: ended, or left to the next worker."""
    _fenced(session, lease, {"lease_until": None})


def give_back(session: Session, lease: ImportLease) -> None:
    """Give the import back unfinished and send for another worker."""
    release(session, lease)
    enqueue(session, Task.IMPORT, lease.import_id, project_id=lease.project_id)


def wait(session: Session, lease: ImportLease) -> None:
    """Give a paused import back; that is no attempt of it."""
    _fenced(
        session,
        lease,
        {"lease_until": None, "attempts": Import.attempts - 1, "sent_at": func.now()},
    )


def begin_again(session: Session, row: Import) -> None:
    """Send for a worker, as for a new import."""
    row.attempts, row.sent_at = 0, func.now()
    session.flush()
    enqueue(session, Task.IMPORT, row.id, project_id=row.project_id)


def warn(session: Session, lease: ImportLease, warnings: Sequence[Mapping[str, Any]]) -> None:
    """Keep what is odd about accepted rows, before they become visible."""
    row = get(session, lease.import_id)
    _fenced(session, lease, {"options": {**row.options, "warnings": list(warnings)}})


def fail(session: Session, lease: ImportLease, counts: Counts) -> None:
    """Keep why an import brought nothing in; LeaseLostError when a newer token has come."""
    values = {
        "rejected": counts.rejected,
        "errors": list(counts.errors),
        "errors_path": counts.errors_path,
        "lease_until": None,
    }
    _fenced(session, lease, values)


def end(
    session: Session, row: Import, state: str, *, error: Mapping[str, str] | None = None
) -> None:
    """End the import's job with the counts that the import's row holds."""
    done = row.accepted + row.duplicates
    progress = {"total": done + row.rejected, "completed": done, "failed": row.rejected}
    jobs.set_progress(session, row.id, progress)
    jobs.end(session, row.id, state, error=dict(error) if error else None, result=result(row))


def result(row: Import) -> dict[str, Any]:
    """Return what the job shows as its result."""
    return {
        "accepted": row.accepted,
        "duplicates": row.duplicates,
        "rejected": row.rejected,
        "errors": row.errors,
        "warnings": row.options.get("warnings", []),
    }


def _until() -> ColumnElement[datetime]:
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, settings().lease_seconds)


def _fenced(session: Session, lease: ImportLease, values: Mapping[str, Any]) -> None:
    changed = session.execute(
        update(Import)
        .where(Import.id == lease.import_id, Import.lease_token == lease.token)
        .values(**values)
        .returning(Import.id)
    ).one_or_none()
    if changed is None:
        raise LeaseLostError(f"import {lease.import_id}")
