"""Let a job wait, go on, or begin again where it failed."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.broker import enqueue
from services.shared.db.repos import datasets, imports, jobs, pauses, stages
from services.shared.db.tables import Job
from services.shared.errors import ConflictError, NotFoundError
from services.shared.queues import Task

KINDS = ("run", "import")


def pause_job(session: Session, job_id: UUID) -> Job:
    """Return the job, paused until somebody resumes it.

    What is under way is let go of as soon as what it has paid for is kept. ConflictError when the
    job has ended or is being cancelled.
    """
    job = _steerable(session, job_id)
    if job.state in jobs.ENDED:
        raise _ended(job)
    if job.state == "cancelling":
        raise ConflictError("The job is being cancelled.", code="JOB_CANCELLING")
    pauses.ask(session, job)
    return job


def resume_job(session: Session, job_id: UUID) -> Job:
    """Return the job: on its way again, or, where an endpoint or a disk is away, tried at once.

    ConflictError when it is not paused.
    """
    job = _steerable(session, job_id)
    if job.state in jobs.ENDED:
        raise _ended(job)
    if job.state != "paused":
        raise ConflictError(f"The job is {job.state}, not paused.", code="NOT_PAUSED")
    pauses.try_now(session, job)
    if job.kind == "run":
        stages.send_what_may(session, job.id, project_id=job.project_id)
    else:
        enqueue(session, Task.IMPORT, job.id, project_id=job.project_id)
    session.refresh(job)
    return job


def retry_job(session: Session, job_id: UUID, *, is_kept: Callable[[str], bool]) -> Job:
    """Return a job that failed or was cancelled, queued again; only what is missing is done.

    `is_kept` says of an upload's name whether its file is there. ConflictError when the job has
    not failed, when its dataset is deleted, or when an import's file is no longer there.
    """
    job = _steerable(session, job_id)
    if job.state not in {"failed", "cancelled"}:
        raise ConflictError(
            f"The job's state is {job.state}: only what failed or was cancelled is tried again.",
            code="NOT_FAILED",
        )
    _check_dataset(session, job)
    if job.kind == "run":
        stages.begin_again(session, job.id, project_id=job.project_id)
    else:
        _import_again(session, job, is_kept)
    session.refresh(job)
    return job


def _import_again(session: Session, job: Job, is_kept: Callable[[str], bool]) -> None:
    row = imports.get(session, job.id)
    if not is_kept(row.spool_name):
        raise ConflictError(
            "The file of this import is no longer kept; send it again.", code="UPLOAD_GONE"
        )
    jobs.begin_again(session, job)
    imports.begin_again(session, row)


def _steerable(session: Session, job_id: UUID) -> Job:
    job = jobs.lock(session, job_id)
    if job.kind not in KINDS:
        raise ConflictError(
            f"A job of the kind {job.kind} cannot be paused or tried again.", code="NO_PAUSE"
        )
    return job


def _check_dataset(session: Session, job: Job) -> None:
    try:
        if job.dataset_id is not None:
            datasets.live(session, job.dataset_id)
    except NotFoundError as error:
        raise ConflictError("The job's dataset was deleted.", code="DATASET_DELETED") from error


def _ended(job: Job) -> ConflictError:
    return ConflictError(f"The job has {_ENDINGS[job.state]} already.", code="JOB_ENDED")


_ENDINGS = {"succeeded": "succeeded", "failed": "failed", "cancelled": "been cancelled"}
