"""Look at a job again and again: what is new, how far it is, whether it has ended."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.api.use_cases.describe_job import describe_progress
from services.api.use_cases.estimate_eta import History
from services.api.use_cases.time_left import TimeLeft
from services.shared.db.repos import events, jobs
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Job, JobEvent

AT_ONCE = 500
"""Events of one look."""

PAST_SECONDS = 30.0
KNOWN_AT_MOST = 1000

_PASTS: dict[UUID, tuple[float, History]] = {}
"""By job, when the past was read and what it was: looks come each second, ends of runs do not."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A job as it stood at one moment; `state` is "deleted" once its row is gone."""

    events: list[JobEvent]
    more: bool  # events that this look left for the next
    state: str
    progress: dict[str, Any]

    @property
    def ended(self) -> bool:
        """Say whether nothing more will come."""
        return not self.more and (self.state == "deleted" or self.state in jobs.ENDED)


def look(project_id: UUID, job_id: UUID, *, after: int) -> Look:
    """Return what came after the event `after`, in a short transaction of its own.

    The state is read before the events: a job that is seen to have ended shows its last one too.
    """
    with unit_of_work(project_id) as session:
        job = session.get(Job, job_id)
        if job is None:
            return Look(events=[], more=False, state="deleted", progress={})
        progress = describe_progress(session, job, _past(session, job))
        found = events.page(session, job_id, size=AT_ONCE, after=after)
    return Look(
        events=found[:AT_ONCE], more=len(found) > AT_ONCE, state=job.state, progress=progress
    )


def _past(session: Session, job: Job) -> History | None:
    if job.kind != "run" or job.state in jobs.ENDED:
        return None
    now = time.monotonic()
    read_at, past = _PASTS.get(job.id, (float("-inf"), History()))
    if now - read_at > PAST_SECONDS:
        if len(_PASTS) >= KNOWN_AT_MOST:
            _PASTS.clear()
        past = TimeLeft(session, [job]).history(job)
        _PASTS[job.id] = now, past
    return past
