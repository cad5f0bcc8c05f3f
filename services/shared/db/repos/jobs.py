"""Jobs: created, started, ended, cancelled."""

from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from services.shared.db.tables import Job
from services.shared.errors import NotFoundError

ENDED = ("succeeded", "failed", "cancelled")
UNWANTED = {None, "cancelling", "cancelled", "failed"}
"""States of a job, None where it is gone, in which nothing more of it is to be done or paid."""

PROGRESS = {"total": 0, "completed": 0, "failed": 0, "cached": 0}


class Wish(Enum):
    """What is wanted of whoever works on a job."""

    GO_ON = "go on"
    WAIT = "wait"  # somebody asked for a pause: keep what is done and let go
    STOP = "stop"


def create(
    session: Session,
    kind: str,
    *,
    job_id: UUID,
    project_id: UUID,
    dataset_id: UUID | None,
    request_id: str | None = None,
) -> Job:
    """Return a queued job of `kind`, flushed."""
    job = Job(
        id=job_id,
        project_id=project_id,
        dataset_id=dataset_id,
        kind=kind,
        state="queued",
        progress=dict(PROGRESS),
        request_id=request_id,
    )
    session.add(job)
    session.flush()
    return job


def get(session: Session, job_id: UUID) -> Job:
    """Return the job; NotFoundError when this project has none of that id."""
    job = session.get(Job, job_id)
    if job is None:
        raise NotFoundError("job", str(job_id))
    return job


def lock(session: Session, job_id: UUID) -> Job:
    """Return the job, its row locked until the transaction ends; NotFoundError without one."""
    query = select(Job).where(Job.id == job_id).with_for_update()
    job = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if job is None:
        raise NotFoundError("job", str(job_id))
    return job


def state(session: Session, job_id: UUID) -> str | None:
    """Return the job's state as committed now; None when it is gone."""
    return session.scalar(select(Job.state).where(Job.id == job_id))


def wish(session: Session, job_id: UUID) -> Wish:
    """Return what is wanted as committed now.

    A job that waits for an endpoint or a disk is still wanted: what needs neither goes on.
    """
    row = session.execute(select(Job.state, Job.retry_at).where(Job.id == job_id)).one_or_none()
    if row is None or row.state in UNWANTED:
        return Wish.STOP
    return Wish.WAIT if row.state == "paused" and row.retry_at is None else Wish.GO_ON


def start(session: Session, job_id: UUID) -> None:
    """Mark a queued job as running; a job in any other state stays as it is."""
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == "queued")
        .values(state="running", started_at=func.coalesce(Job.started_at, func.now()))
    )


def begin_again(session: Session, job: Job) -> None:
    """Put a locked job that has ended back to the beginning."""
    job.state, job.error, job.result, job.finished_at = "queued", None, None, None
    session.flush()


def set_progress(session: Session, job_id: UUID, progress: dict[str, int]) -> None:
    """Keep `progress`: counts by total, completed, failed, cached."""
    session.execute(update(Job).where(Job.id == job_id).values(progress={**PROGRESS, **progress}))


def end(
    session: Session,
    job_id: UUID,
    end_state: str,
    *,
    error: dict[str, Any] | None = None,
    result: dict[str, Any] | None = None,
) -> None:
    """End a job that has not ended yet as `end_state`, with its error or result."""
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state.not_in(ENDED))
        .values(
            state=end_state,
            finished_at=func.now(),
            error=error,
            result=result,
            pause=None,
            retry_at=None,
        )
    )
