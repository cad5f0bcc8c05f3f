"""How far a run's rating is, counted anew each time: nothing to drift after a crash."""

from contextlib import suppress
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.db.repos import batches, jobs, ratings, stages
from services.shared.db.session import unit_of_work
from services.shared.errors import NotFoundError
from services.shared.stages import StageName


def tell(run_id: UUID, *, project_id: UUID) -> None:
    """Write the counts to the job and to the stage, in a transaction of their own."""
    with unit_of_work(project_id) as session, suppress(NotFoundError):  # deleted meanwhile
        write(session, run_id)


def write(session: Session, run_id: UUID) -> None:
    """Write the counts; the job's row is locked before the stage's, as everywhere.

    It is locked before anything is counted, too: counts that wait behind newer ones are old.
    """
    jobs.lock(session, run_id)
    now = counts(session, run_id)
    jobs.set_progress(session, run_id, now)
    stage = stages.parked(session, run_id, StageName.RATE)
    if stage is not None:
        stages.report(session, stage, dict(now))


def counts(session: Session, run_id: UUID) -> dict[str, int]:
    """Return {"total", "completed", "failed", "cached"}, in calls."""
    return {"total": batches.calls(session, run_id), **ratings.progress(session, run_id)}
