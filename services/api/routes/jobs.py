"""Jobs: anything that takes time."""

from fastapi import APIRouter

from services.api.deps import Reader, Unit, Uuid, Writer, uuid_or_404
from services.api.ingest import spool
from services.api.paging import Paged, cut, moment_place
from services.api.schemas.jobs import JobAnswer, Jobs
from services.api.strict import StrictRoute
from services.api.use_cases.cancel_job import cancel_job as cancel
from services.api.use_cases.describe_job import describe_job, describe_jobs
from services.api.use_cases.steer_job import pause_job as pause
from services.api.use_cases.steer_job import resume_job as resume
from services.api.use_cases.steer_job import retry_job as retry
from services.shared.db.repos import jobs, listings
from services.shared.db.tables import Job

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)


@router.get("")
def list_jobs(_project: Reader, session: Unit, page: Paged) -> Jobs:
    """List the project's jobs, newest first."""
    rows = listings.jobs(session, size=page.size, after=moment_place(page))
    views = describe_jobs(session, rows[: page.size])
    return Jobs(
        jobs=[JobAnswer.model_validate(view) for view in views],
        next_page_token=cut(rows, page, lambda row: (row.created_at, row.id)),
    )


@router.post("/{job}:cancel")
def cancel_job(job: Uuid, _project: Writer, session: Unit) -> JobAnswer:
    """Ask a job to stop: what runs is ended by its worker, what waits never starts."""
    return _told(session, cancel(session, uuid_or_404("job", job)))


@router.post("/{job}:pause")
def pause_job(job: Uuid, _project: Writer, session: Unit) -> JobAnswer:
    """Let a job wait: what it has under way is kept, nothing more is begun until it is resumed."""
    return _told(session, pause(session, uuid_or_404("job", job)))


@router.post("/{job}:resume")
def resume_job(job: Uuid, _project: Writer, session: Unit) -> JobAnswer:
    """Let a paused job go on; one that waits for an endpoint or a disk is tried at once."""
    return _told(session, resume(session, uuid_or_404("job", job)))


@router.post("/{job}:retry")
def retry_job(job: Uuid, _project: Writer, session: Unit) -> JobAnswer:
    """Try a failed or cancelled job again; what had succeeded or was paid for is kept."""
    return _told(session, retry(session, uuid_or_404("job", job), is_kept=spool.is_kept))


@router.get("/{job}")
def get_job(job: Uuid, _project: Reader, session: Unit) -> JobAnswer:
    """Return a job with its stages, progress, usage and, once it has ended, its result."""
    return _told(session, jobs.get(session, uuid_or_404("job", job)))


def _told(session: Unit, job: Job) -> JobAnswer:
    return JobAnswer.model_validate(describe_job(session, job))
