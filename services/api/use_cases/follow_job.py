"""Look at a job again and again: what is new, how far it is, whether it has ended."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.api.use_cases.describe_job import describe_progress
from services.shared.db.repos import events, jobs
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Job, JobEvent

AT_ONCE = 500
"""Events of one look."""


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
        progress = describe_progress(session, job)
        found = events.page(session, job_id, size=AT_ONCE, after=after)
    return Look(
        events=found[:AT_ONCE], more=len(found) > AT_ONCE, state=job.state, progress=progress
    )
