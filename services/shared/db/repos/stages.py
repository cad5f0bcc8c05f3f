"""Stages of runs: claimed with a lease, fenced by a token, ended once."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update
from sqlalchemy.orm import Session

from services.shared.broker import enqueue
from services.shared.clock import utc_now
from services.shared.db.repos import batches, jobs, pauses
from services.shared.db.repos.pauses import Cause
from services.shared.db.tables import Job, Stage
from services.shared.errors import LeaseLostError
from services.shared.metrics import LEASES_LOST
from services.shared.rates import marked
from services.shared.settings import settings
from services.shared.stages import WAITS_FOR, StageName, startable

_OVER: dict[str, Any] = {"finished_at": func.now(), "pause": None, "retry_at": None}


@dataclass(frozen=True)
class StageLease:
    """The right to work on a stage while the token is the newest."""

    run_id: UUID
    name: StageName
    project_id: UUID
    token: int
    attempt: int


def create_all(session: Session, *, run_id: UUID, project_id: UUID) -> None:
    """Lay out a run's stages and send the first."""
    for name in WAITS_FOR:
        session.add(
            Stage(
                run_id=run_id,
                name=name.value,
                project_id=project_id,
                state="waiting",
                progress=dict(jobs.PROGRESS),
                figures={},
            )
        )
    session.flush()
    _start_what_can(session, run_id=run_id, project_id=project_id)


def claim(session: Session, run_id: UUID, name: StageName) -> StageLease | None:
    """Return a lease on a ready or abandoned stage.

    None when another holds it, it has ended, or it has to wait still: see `pauses`.
    """
    seconds = settings().lease_seconds
    # the job's row before the stage's, as everywhere: a cancellation may be under way
    session.execute(select(Job.id).where(Job.id == run_id).with_for_update(key_share=True))
    free = or_(
        Stage.state == "ready",
        and_(Stage.state == "running", Stage.lease_until < func.now()),
    )
    row = session.execute(
        update(Stage)
        .where(Stage.run_id == run_id, Stage.name == name.value, free, _may_begin(run_id))
        .values(
            state="running",
            attempts=Stage.attempts + 1,
            lease_token=Stage.lease_token + 1,
            lease_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds),
            started_at=func.coalesce(Stage.started_at, func.now()),
        )
        .returning(Stage.project_id, Stage.lease_token, Stage.attempts)
    ).one_or_none()
    if row is None:
        return None
    jobs.start(session, run_id)
    return StageLease(run_id, name, row.project_id, row.lease_token, row.attempts)


def renew(session: Session, lease: StageLease, progress: dict[str, Any] | None = None) -> None:
    """Push the lease's end out; LeaseLostError when a newer token or an end has come."""
    seconds = settings().lease_seconds
    values: dict[str, Any] = {
        "lease_until": func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    }
    if progress is not None:
        values["progress"] = progress
    _fenced(session, lease, values)


def report(session: Session, lease: StageLease, progress: dict[str, Any]) -> None:
    """Keep how far the stage is; LeaseLostError when the token is no longer the newest.

    A mark of the moment is kept beside it, for the rate.
    """
    query = select(Stage.marks).where(Stage.run_id == lease.run_id, Stage.name == lease.name.value)
    marks = marked(session.scalar(query) or [], progress, utc_now().timestamp())
    _fenced(session, lease, {"progress": progress, "marks": marks})


def finish(
    session: Session,
    lease: StageLease,
    figures: dict[str, Any],
    *,
    peak_memory_bytes: int | None = None,
) -> None:
    """End the stage well, start what waited for it, and end the run after the last."""
    job = jobs.lock(session, lease.run_id)  # two stages that end at once must see each other
    values = {
        "state": "succeeded",
        "figures": figures,
        "peak_memory_bytes": peak_memory_bytes,
        "lease_until": None,
        **_OVER,
    }
    _fenced(session, lease, values)
    pauses.show(session, job)  # its last batch may have met an endpoint that was there again
    _start_what_can(session, run_id=lease.run_id, project_id=lease.project_id)
    if not _left(session, lease.run_id):
        jobs.end(session, lease.run_id, "succeeded", result=figures)


def fail(session: Session, lease: StageLease, error: dict[str, Any]) -> None:
    """End the stage and its run as failed, with the reason; nothing else of the run starts."""
    jobs.lock(session, lease.run_id)
    _fenced(session, lease, {"state": "failed", "error": error, **_OVER})
    _cancel_unstarted(session, lease.run_id)
    jobs.end(session, lease.run_id, "failed", error={**error, "stage": lease.name.value})


def park(session: Session, lease: StageLease) -> None:
    """Keep the stage running without a holder: its batches have leases of their own."""
    _fenced(session, lease, {"lease_until": text("'infinity'"), "sent_at": func.now()})


def parked(session: Session, run_id: UUID, name: StageName) -> StageLease | None:
    """Return a parked stage's lease, for whoever ends its last batch; None if it is not parked."""
    row = session.execute(
        select(Stage.project_id, Stage.lease_token, Stage.attempts).where(
            Stage.run_id == run_id,
            Stage.name == name.value,
            Stage.state == "running",
            Stage.lease_until == text("'infinity'"),
        )
    ).one_or_none()
    return None if row is None else StageLease(run_id, name, *row)


def release(session: Session, lease: StageLease, *, attempt_counts: bool) -> None:
    """Give the stage back unfinished; being told to stop is no attempt, being killed is one."""
    attempts = Stage.attempts - (0 if attempt_counts else 1)
    _fenced(session, lease, {"state": "ready", "lease_until": None, "attempts": attempts})


def pause(session: Session, lease: StageLease, cause: Cause) -> None:
    """Give the stage back to wait for what is away; that is no attempt of the stage's."""
    if jobs.lock(session, lease.run_id).state in jobs.UNWANTED:
        cancelled(session, lease)
        return
    release(session, lease, attempt_counts=False)
    pauses.hold_stage(session, lease.run_id, lease.name, cause)


def let_go(session: Session, lease: StageLease) -> None:
    """Give the stage back since a person asked for a pause, or may have changed their mind."""
    job = jobs.lock(session, lease.run_id)
    if job.state in jobs.UNWANTED:
        cancelled(session, lease)
        return
    release(session, lease, attempt_counts=False)
    if jobs.wish(session, lease.run_id) is jobs.Wish.GO_ON:
        enqueue(session, lease.name.task, lease.run_id, project_id=lease.project_id)


def cancelled(session: Session, lease: StageLease) -> None:
    """End the stage as cancelled, and the run with its last running stage."""
    jobs.lock(session, lease.run_id)
    _fenced(session, lease, {"state": "cancelled", **_OVER})
    _end_cancelled(session, lease.run_id)


def cancel_run(session: Session, run_id: UUID) -> None:
    """Ask a run to stop: what has not started never will, what runs is ended by its holder."""
    job = jobs.lock(session, run_id)
    if job.state in jobs.ENDED:
        return
    job.state, job.pause, job.retry_at = "cancelling", None, None
    session.flush()
    _cancel_unstarted(session, run_id)
    rating = parked(session, run_id, StageName.RATE)
    if rating is not None and batches.cancel_pending(session, run_id) == 0:
        _fenced(session, rating, {"state": "cancelled", **_OVER})
    _end_cancelled(session, run_id)


def send_what_may(session: Session, run_id: UUID, *, project_id: UUID) -> None:
    """Send for whoever can go on with a run that was paused: its messages were dropped."""
    for stage in of_run(session, run_id):
        if stage.state == "ready":
            stage.sent_at = func.now()
            enqueue(session, StageName(stage.name).task, run_id, project_id=project_id)
    session.flush()
    if parked(session, run_id, StageName.RATE) is not None:
        batches.send(session, run_id, project_id=project_id)


def begin_again(session: Session, run_id: UUID, *, project_id: UUID) -> None:
    """Let a run that failed or was cancelled go on: what succeeded stays, the rest is done anew.

    A stage or a batch that a worker has not let go of yet is left to that worker; what waited for
    an endpoint or a disk waits still.
    """
    job = jobs.lock(session, run_id)
    jobs.begin_again(session, job)
    batches.begin_again(session, run_id)
    session.execute(
        update(Stage)
        .where(Stage.run_id == run_id, Stage.state.in_(["failed", "cancelled"]))
        .values(
            state="waiting",
            attempts=0,
            error=None,
            pause=None,
            retry_at=None,
            lease_until=None,
            started_at=None,
            finished_at=None,
        )
    )
    _start_what_can(session, run_id=run_id, project_id=project_id)
    if parked(session, run_id, StageName.RATE) is not None:
        batches.send(session, run_id, project_id=project_id)
    pauses.show(session, job)


def peak_memory(session: Session, lease: StageLease) -> int | None:
    """Return the most bytes that the stage's process needed; None while it runs, or if unknown."""
    query = select(Stage.peak_memory_bytes).where(
        Stage.run_id == lease.run_id, Stage.name == lease.name.value
    )
    return session.scalar(query)


def of_run(session: Session, run_id: UUID) -> list[Stage]:
    """Return a run's stages in the graph's order."""
    rows = {stage.name: stage for stage in session.scalars(select(Stage).filter_by(run_id=run_id))}
    return [rows[name.value] for name in WAITS_FOR if name.value in rows]


def _fenced(session: Session, lease: StageLease, values: dict[str, Any]) -> None:
    changed = session.execute(
        update(Stage)
        .where(
            Stage.run_id == lease.run_id,
            Stage.name == lease.name.value,
            Stage.state == "running",
            Stage.lease_token == lease.token,
        )
        .values(**values)
        .returning(Stage.name)
    ).one_or_none()
    if changed is None:
        LEASES_LOST.labels("stage").inc()
        raise LeaseLostError(f"stage {lease.name.value} of run {lease.run_id}")


def _start_what_can(session: Session, *, run_id: UUID, project_id: UUID) -> None:
    rows = session.execute(select(Stage.name, Stage.state).where(Stage.run_id == run_id))
    states = {row.name: row.state for row in rows}
    done = [name for name, state in states.items() if state == "succeeded"]
    waiting = [name for name, state in states.items() if state == "waiting"]
    for name in startable(done, waiting):
        session.execute(
            update(Stage)
            .where(Stage.run_id == run_id, Stage.name == name.value)
            .values(state="ready", sent_at=func.now())
        )
        enqueue(session, name.task, run_id, project_id=project_id)


def _left(session: Session, run_id: UUID) -> int:
    query = select(func.count()).where(Stage.run_id == run_id, Stage.state != "succeeded")
    return session.scalar(query) or 0


def _cancel_unstarted(session: Session, run_id: UUID) -> None:
    session.execute(
        update(Stage)
        .where(Stage.run_id == run_id, Stage.state.in_(["waiting", "ready"]))
        .values(state="cancelled", **_OVER)
    )


def _may_begin(run_id: UUID) -> ColumnElement[bool]:
    due = or_(Stage.retry_at.is_(None), Stage.retry_at <= func.now())
    asked = select(Job.id).where(Job.id == run_id, Job.state == "paused", Job.retry_at.is_(None))
    return and_(due, ~asked.exists())


def _end_cancelled(session: Session, run_id: UUID) -> None:
    running = select(func.count()).where(Stage.run_id == run_id, Stage.state == "running")
    if not session.scalar(running):
        jobs.end(session, run_id, "cancelled")
