"""The stage `rate` around its batches: cut and parked, gone on with, ended by the last batch."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.llm_worker import progress
from services.shared.broker import enqueue
from services.shared.db.repos import batches, jobs, pauses, stages, usage
from services.shared.db.repos.jobs import Wish
from services.shared.db.repos.stages import StageLease
from services.shared.db.session import unit_of_work
from services.shared.log import get_logger
from services.shared.memory import peak_memory
from services.shared.queues import Task
from services.shared.stages import StageName

log = get_logger(__name__)


def begin(run_id: UUID, *, project_id: UUID) -> None:
    """Claim the stage, cut its candidates into batches and send for workers, all or nothing."""
    with unit_of_work(project_id) as session:
        lease = stages.claim(session, run_id, StageName.RATE)
        if lease is None:
            return
        if jobs.wish(session, run_id) is Wish.STOP:
            stages.cancelled(session, lease)
            return
        batches.cut(session, run_id=run_id, project_id=project_id)
        counts = batches.counts(session, run_id)
        waiting, held = counts.get("pending", 0), counts.get("running", 0)
        log.info("rating_cut", batches=waiting)
        if not waiting and not held:  # an old message may have taken one before the stage was ours
            _finish(session, lease)
            return
        stages.park(session, lease)
        batches.send(session, run_id, project_id=project_id)


def go_on(session: Session, run_id: UUID, *, project_id: UUID) -> None:
    """After a batch: send for the next, or end the stage when none is left.

    A dead batch fails the run at once, for the rest could not save it. A paused run sends for
    nobody: who lets it go on does. The job's row is locked, so that two batches that end together
    see each other.
    """
    job = jobs.lock(session, run_id)
    stage = stages.parked(session, run_id, StageName.RATE)
    if stage is None:
        return
    unwanted = job.state in jobs.UNWANTED
    if unwanted:
        batches.cancel_pending(session, run_id)
    counts = batches.counts(session, run_id)
    if counts.get("dead"):
        batches.cancel_pending(session, run_id)
        stages.fail(session, stage, batches.first_error(session, run_id))
    elif counts.get("pending"):
        if not pauses.holds(session, run_id, StageName.RATE):
            enqueue(session, Task.RATE_BATCH, run_id, project_id=project_id)
    elif not counts.get("running"):
        _end(session, stage, cancelled=unwanted)


def _end(session: Session, stage: StageLease, *, cancelled: bool) -> None:
    progress.write(session, stage.run_id)
    if cancelled:
        stages.cancelled(session, stage)
    else:
        _finish(session, stage)


def _finish(session: Session, stage: StageLease) -> None:
    figures = _figures(session, stage.run_id)
    stages.finish(session, stage, figures, peak_memory_bytes=peak_memory())


def _figures(session: Session, run_id: UUID) -> dict[str, Any]:
    """Return pairs and calls of the run, what became of them, and usage by model."""
    counts = progress.counts(session, run_id)
    return {
        "pairs": counts["total"] // batches.VIEWS_PER_PAIR,
        "calls": counts["total"],
        "rated": counts["completed"] - counts["failed"],
        "cached": counts["cached"],
        "unparsed": counts["failed"],
        "usage": usage.of_run(session, run_id, kind="chat"),
    }
