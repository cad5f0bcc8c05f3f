"""Pauses: why a stage or an import waits, until when, and how it goes on.

A stage waits by itself: what does not need the thing that is away goes on beside it. The job's row
says what a person wants to know, that something waits and why; a person's own pause stands only
there. Every function here wants the job's row locked, or locks it, before a stage's.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from services.shared.clock import utc_now
from services.shared.db.repos import jobs
from services.shared.db.tables import Job, Stage
from services.shared.errors import DiskFullError
from services.shared.settings import settings
from services.shared.stages import StageName

ASKED, LLM_AWAY, EMBEDDER_AWAY, DISK_FULL = "ASKED", "LLM_AWAY", "EMBEDDER_AWAY", "DISK_FULL"

LONGEST_OBEYED = 300.0
"""Seconds of an endpoint's Retry-After that a pause obeys."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why something waits, in a sentence for a person.

    `retry_after` is in seconds, where an endpoint named them; `needs` is in bytes, of a full disk.
    """

    code: str
    detail: str
    retry_after: float = 0.0
    needs: int = 0


@dataclass(frozen=True)
class Pause:
    """What a stage waited for until now."""

    code: str
    needs: int


def of_disk(full: DiskFullError) -> Cause:
    """Return why something waits for room."""
    return Cause(code=DISK_FULL, detail=full.detail, needs=full.needs)


def hold_stage(
    session: Session, run_id: UUID, name: StageName, cause: Cause, *, tried: bool = False
) -> None:
    """Let a stage wait; each try in vain makes it wait longer, until `lift_stage`.

    A stage that waits already and was not `tried` stays as it is: several workers meet the same
    trouble.
    """
    job = jobs.lock(session, run_id)
    if job.state in jobs.ENDED or job.state in jobs.UNWANTED:
        return
    stage = _stage(session, run_id, name)
    later = select(Stage.name).where(*_is(run_id, name), Stage.retry_at > func.now())
    if not tried and stage.pause is not None and session.scalar(later) is not None:
        return
    stage.pause, stage.retry_at = _next(stage.pause, cause)
    stage.sent_at = func.now()
    show(session, job)


def lift_stage(session: Session, run_id: UUID, name: StageName) -> None:
    """Let a stage go on: what it waited for is there."""
    job = jobs.lock(session, run_id)
    stage = _stage(session, run_id, name)
    stage.pause, stage.retry_at = None, None
    show(session, job)


def of_stage(session: Session, run_id: UUID, name: StageName) -> Pause | None:
    """Return what the stage waited for until now; None when it did not."""
    found = session.scalar(select(Stage.pause).where(*_is(run_id, name)))
    return None if found is None else Pause(found["code"], found["needs"])


def of_job(session: Session, job_id: UUID) -> Pause | None:
    """Return what a job without stages waited for until now; None when it did not."""
    found = session.scalar(select(Job.pause).where(Job.id == job_id))
    return None if found is None else Pause(found["code"], found["needs"])


def holds(session: Session, run_id: UUID, name: StageName) -> bool:
    """Say whether the stage must wait still, for its own sake or at a person's word."""
    later = select(Stage.name).where(*_is(run_id, name), Stage.retry_at > func.now())
    if session.scalar(later) is not None:
        return True
    return jobs.wish(session, run_id) is jobs.Wish.WAIT


def take_turn(session: Session, run_id: UUID, name: StageName) -> bool:
    """Say whether it is this caller who tries a paused stage that is due; no other does meanwhile.

    For a stage that is not claimed for its work: rating, whose batches are.
    """
    meanwhile = func.now() + _seconds(settings().retry_longest_seconds)
    taken = session.execute(
        update(Stage)
        .where(*_is(run_id, name), Stage.retry_at <= func.now())
        .values(retry_at=meanwhile)
        .returning(Stage.name)
    ).one_or_none()
    return taken is not None


def hold_job(session: Session, job_id: UUID, cause: Cause) -> None:
    """Let a job without stages wait; each further hold makes it wait longer, until `lift_job`."""
    job = jobs.lock(session, job_id)
    if job.state in jobs.ENDED or job.state in jobs.UNWANTED or _is_asked(job):
        return
    job.pause, job.retry_at = _next(job.pause, cause)
    job.state = "paused"
    session.flush()


def lift_job(session: Session, job_id: UUID) -> None:
    """Let a job without stages go on."""
    _go_on(session, jobs.lock(session, job_id))


def ask(session: Session, job: Job) -> None:
    """Let a locked job wait for a person, whatever else it waits for."""
    if _is_asked(job):
        return
    detail = "Somebody asked for a pause; nothing more is begun until somebody lets it go on."
    job.pause = {"code": ASKED, "detail": detail, "stage": None, "since": _now(), "needs": 0}
    job.state, job.retry_at = "paused", None
    session.flush()


def try_now(session: Session, job: Job) -> None:
    """Take a person's pause off a locked job; what waits for a thing is due at once."""
    if job.kind != "run":
        if _is_asked(job):
            _go_on(session, job)
        else:
            job.retry_at = func.now()
    else:
        waiting = Stage.run_id == job.id, Stage.pause.is_not(None)
        session.execute(update(Stage).where(*waiting).values(retry_at=func.now()))
        job.pause = None
        show(session, job)
    session.flush()
    session.refresh(job)


def show(session: Session, job: Job) -> None:
    """Let a run's locked row say what its stages wait for, the longest wait first."""
    session.flush()
    if job.state in jobs.ENDED or job.state in jobs.UNWANTED or _is_asked(job):
        return
    waiting = Stage.run_id == job.id, Stage.pause.is_not(None)
    since = Stage.pause["since"].astext
    query = select(Stage.name, Stage.pause, Stage.retry_at).where(*waiting).order_by(since)
    first = session.execute(query.limit(1)).one_or_none()
    if first is None:
        _go_on(session, job)
        return
    job.pause = {**first.pause, "stage": first.name}
    job.state, job.retry_at = "paused", first.retry_at
    session.flush()


def _go_on(session: Session, job: Job) -> None:
    job.pause, job.retry_at = None, None
    if job.state == "paused":
        job.state = "queued" if job.started_at is None else "running"
    session.flush()


def _next(before: dict[str, Any] | None, cause: Cause) -> tuple[dict[str, Any], Any]:
    """Return the pause that follows, and when it ends: each wait twice as long as the last."""
    again = before is not None and before["code"] == cause.code
    tries = before["tries"] + 1 if again and before is not None else 0
    since = before["since"] if again and before is not None else _now()
    doubled = settings().retry_first_seconds * 2.0 ** min(tries, 30)
    wait = min(settings().retry_longest_seconds, doubled)
    asked = min(cause.retry_after, LONGEST_OBEYED)
    pause = {
        "code": cause.code,
        "detail": cause.detail,
        "since": since,
        "tries": tries,
        "needs": cause.needs,
    }
    return pause, func.now() + _seconds(max(wait, asked))


def _stage(session: Session, run_id: UUID, name: StageName) -> Stage:
    return session.scalars(
        select(Stage)
        .where(*_is(run_id, name))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _is(run_id: UUID, name: StageName) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Stage.run_id == run_id, Stage.name == name.value


def _is_asked(job: Job) -> bool:
    return job.pause is not None and job.pause["code"] == ASKED


def _now() -> str:
    return utc_now().isoformat()


def _seconds(seconds: float) -> ColumnElement[Any]:
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds)
