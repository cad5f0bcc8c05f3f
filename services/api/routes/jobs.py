"""Jobs: anything that takes time."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from services.api.deps import Keys, Reader, Unit, Uuid, Writer, uuid_or_404
from services.api.event_stream import EventStream, Follower, Streams
from services.api.ingest import spool
from services.api.paging import Paged, cut, moment_place, number, place
from services.api.resume import EVENT_STREAM, Resumed
from services.api.schemas.jobs import EventAnswer, Events, JobAnswer, Jobs
from services.api.strict import StrictRoute
from services.api.use_cases.cancel_job import cancel_job as cancel
from services.api.use_cases.describe_job import describe_job, describe_jobs
from services.api.use_cases.steer_job import pause_job as pause
from services.api.use_cases.steer_job import resume_job as go_on
from services.api.use_cases.steer_job import retry_job as retry
from services.shared.db.repos import events, jobs, listings
from services.shared.db.tables import Job

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            EVENT_STREAM: {
                "schema": {"type": "string"},
                "example": 'id: 7\nevent: stage.ready\ndata: {"id":7,"kind":"stage.ready"}\n\n',
            }
        }
    },
    204: {"description": "Only for a resumed stream: the job has ended and all of it was sent"},
}


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
    return _told(session, go_on(session, uuid_or_404("job", job)))


@router.post("/{job}:retry")
def retry_job(job: Uuid, _project: Writer, session: Unit) -> JobAnswer:
    """Try a failed or cancelled job again; what had succeeded or was paid for is kept."""
    return _told(session, retry(session, uuid_or_404("job", job), is_kept=spool.is_kept))


@router.get("/{job}")
def get_job(job: Uuid, _project: Reader, session: Unit) -> JobAnswer:
    """Return a job with its stages, progress, usage and, once it has ended, its result."""
    return _told(session, jobs.get(session, uuid_or_404("job", job)))


@router.get("/{job}/events", response_model=Events, responses=STREAMED)
def list_job_events(
    job: Uuid,
    project: Reader,
    session: Unit,
    keys: Keys,
    page: Paged,
    resume: Resumed,
    request: Request,
    response: Response,
) -> Events | Response:
    """List what happened to a job, oldest first; with `Accept: text/event-stream`, follow it.

    The stream sends each event under its id, `progress` about once a second while something
    changes, and `end` once the job has ended.
    """
    found = jobs.get(session, uuid_or_404("job", job))
    if resume.stream:
        if resume.heard_end and _all_sent(session, found, resume.after):
            return Response(status_code=204)
        follower = Follower(
            project_id=project,
            job_id=found.id,
            after=resume.after,
            keyring=keys,
            header=request.headers["authorization"],
        )
        streams: Streams = request.app.state.streams
        return EventStream(follower, streams)
    position = place(page, number)
    start = resume.after if position is None else int(position[0])
    rows = events.page(session, found.id, size=page.size, after=start)
    response.headers["Vary"] = "Accept"
    return Events(
        events=[EventAnswer.model_validate(row) for row in rows[: page.size]],
        next_page_token=cut(rows, page, lambda row: (row.seq,)),
    )


def _all_sent(session: Session, job: Job, after: int) -> bool:
    return job.state in jobs.ENDED and events.last(session, job.id) <= after


def _told(session: Unit, job: Job) -> JobAnswer:
    return JobAnswer.model_validate(describe_job(session, job))
