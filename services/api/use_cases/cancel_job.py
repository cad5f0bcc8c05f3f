"""Ask a job to stop."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.db.repos import jobs, listings, stages
from services.shared.db.tables import Job
from services.shared.errors import ConflictError


def cancel_job(session: Session, job_id: UUID) -> Job:
    """Return the job, cancelled or about to be; ConflictError when it has ended otherwise."""
    job = jobs.lock(session, job_id)
    if job.state in {"succeeded", "failed"}:
        raise ConflictError(f"The job has {job.state} already.", code="JOB_ENDED")
    _stop(session, job)
    session.refresh(job)
    return job


def cancel_all_of(session: Session, dataset_id: UUID) -> None:
    """Stop every run and import of a dataset that has not ended."""
    for job in listings.unended_jobs(session, dataset_id):
        _stop(session, job)


def _stop(session: Session, job: Job) -> None:
    if job.kind == "run":
        stages.cancel_run(session, job.id)
    elif job.kind == "import":
        _stop_import(session, job)
    else:
        raise ConflictError(f"A job of the kind {job.kind} cannot be stopped.", code="NO_CANCEL")


def _stop_import(session: Session, job: Job) -> None:
    """End an import that nobody holds; one that is held is ended by its holder."""
    if job.state == "cancelled":
        return
    if listings.import_is_held(session, job.id):
        job.state = "cancelling"
        session.flush()
    else:
        jobs.end(session, job.id, "cancelled")
