"""What happened to a job, in the order in which it was committed; triggers write it."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.shared.db.tables import JobEvent


def page(session: Session, job_id: UUID, *, size: int, after: int) -> list[JobEvent]:
    """Return up to size + 1 events of the job that come after the number `after`, oldest first."""
    query = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.seq > after)
    return list(session.scalars(query.order_by(JobEvent.seq).limit(size + 1)))


def last(session: Session, job_id: UUID) -> int:
    """Return the number of the job's newest event; 0 without any."""
    return session.scalar(select(func.max(JobEvent.seq)).where(JobEvent.job_id == job_id)) or 0
