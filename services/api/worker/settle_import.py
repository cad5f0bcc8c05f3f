"""What an import needs to begin, and every way in which it can end."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from services.api.ingest import spool
from services.shared.broker import enqueue
from services.shared.db.repos import datasets, imports, jobs, pauses
from services.shared.db.repos.imports import Counts, ImportLease
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Import
from services.shared.errors import (
    DiskFullError,
    JobCancelledError,
    JobPausedError,
    NotFoundError,
    RetryLaterError,
    WinnowError,
)
from services.shared.log import get_logger
from services.shared.queues import Task
from services.shared.settings import settings
from services.shared.specs import DatasetSettings

log = get_logger(__name__)


class RefusedFileError(WinnowError):
    """The file as such is not taken: nothing of it comes in, but its report is kept."""

    code = "REFUSED_FILE"

    def __init__(self, failure: Mapping[str, str], counts: Counts) -> None:
        super().__init__(failure["detail"], code=failure["code"])
        self.counts = counts


@dataclass(frozen=True)
class Claimed:
    """An import that is ours to bring in, as it was when it was claimed."""

    lease: ImportLease
    row: Import  # detached: read only
    settings: DatasetSettings


def admit(import_id: UUID, *, project_id: UUID) -> Claimed | None:
    """Return the import if there is something left to do for this worker."""
    with unit_of_work(project_id) as session:
        lease = imports.claim(session, import_id)
        if lease is None:
            return None
        row = imports.get(session, import_id)
        claimed = _admitted(session, lease, row)
    if isinstance(claimed, Claimed):
        return claimed
    if not isinstance(claimed, RetryLaterError):
        spool.remove_all(row.spool_name)
    return None


def settle(claimed: Claimed, ending: WinnowError | None) -> None:
    """End the import after its work was done or given up; None means that its rows are visible."""
    lease = claimed.lease
    with unit_of_work(lease.project_id) as session:
        again = _give_back(session, lease, ending)
        if not again:
            _end(session, lease, ending)
    log.info("import_ended", code=ending.code if ending else None, again=again)
    if not again and not isinstance(ending, RetryLaterError):
        spool.remove_all(claimed.row.spool_name)


def _give_back(session: Session, lease: ImportLease, ending: WinnowError | None) -> bool:
    """Say whether the import is not at its end, and let it wait or be tried again then."""
    if isinstance(ending, DiskFullError | JobPausedError):
        job = jobs.lock(session, lease.import_id)
        if job.state in jobs.UNWANTED:
            return False
        imports.wait(session, lease)
        if isinstance(ending, DiskFullError):
            pauses.hold_job(session, job.id, pauses.of_disk(ending))
        elif job.state != "paused":  # somebody has changed their mind
            enqueue(session, Task.IMPORT, job.id, project_id=job.project_id)
        return True
    if isinstance(ending, RetryLaterError) and lease.attempt < settings().stage_attempts:
        imports.give_back(session, lease)
        return True
    return False


def _admitted(session: Session, lease: ImportLease, row: Import) -> Claimed | WinnowError | None:
    """Return the claim, or why the import ended: here is ended what a crash or a caller ended."""
    state = jobs.lock(session, row.id).state  # a caller who cancels now waits, or came first
    ending: WinnowError | None = None
    if row.visible_at is None and state not in jobs.ENDED:
        dataset = _settings(session, row)
        if state == "cancelling" or dataset is None:
            ending = JobCancelledError("The import was cancelled.")
        elif lease.attempt > settings().stage_attempts:
            ending = _worn_out(lease)
        else:
            jobs.start(session, row.id)
            return Claimed(lease, row, dataset)
    _end(session, lease, ending)
    return ending


def _end(session: Session, lease: ImportLease, ending: WinnowError | None) -> None:
    row = imports.get(session, lease.import_id)
    imports.release(session, lease)
    if isinstance(ending, RefusedFileError):
        imports.fail(session, lease, ending.counts)
    session.refresh(row)
    if ending is None:
        imports.end(session, row, "succeeded")
    elif isinstance(ending, JobCancelledError | JobPausedError | DiskFullError):
        jobs.end(session, row.id, "cancelled")
    else:
        told = _worn_out(lease) if isinstance(ending, RetryLaterError) else ending
        error = {"code": told.code, "detail": told.detail}
        imports.end(session, row, "failed", error=error)


def _settings(session: Session, row: Import) -> DatasetSettings | None:
    try:
        return DatasetSettings.read(datasets.live(session, row.dataset_id).settings)
    except NotFoundError:
        return None


def _worn_out(lease: ImportLease) -> RetryLaterError:
    """Return why an import failed that another try may yet bring in: its file is kept a while."""
    attempts = min(lease.attempt, settings().stage_attempts)
    detail = f"The import was begun {attempts} times and its process was ended each time."
    return RetryLaterError(detail, retry_after=0, code="IMPORT_KILLED")
