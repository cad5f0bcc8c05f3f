"""A stage's child process and the one who waits for it: keeps the lease, ends it, settles it.

The child finishes its stage itself. Everything else that can become of it is settled here: it
failed with a reason, found a disk full, was killed, cancelled or paused, lost its lease, or the
worker must stop.
"""

import subprocess
import threading
from enum import Enum
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from services.shared import disk
from services.shared.broker import enqueue
from services.shared.db.repos import jobs, pauses, stages
from services.shared.db.repos.jobs import Wish
from services.shared.db.repos.pauses import Pause
from services.shared.db.repos.stages import StageLease
from services.shared.db.session import unit_of_work
from services.shared.errors import LeaseLostError, NotFoundError
from services.shared.leases import Heartbeat
from services.shared.log import get_logger
from services.shared.settings import settings
from services.shared.stages import StageName
from services.trainer import child, workspace
from services.trainer.child import Child

log = get_logger(__name__)

POLL_SECONDS = 1.0

LEAVING_SECONDS = 3.0
"""A lease ends with its stage too; the process that ended the stage takes a moment to go."""


class Ending(Enum):
    """What became of a child."""

    FINISHED = "finished"
    FAILED = "failed"
    KILLED = "killed"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    FULL = "full"
    LOST = "lost"
    STOPPED = "stopped"


_INTERRUPTIONS = {Wish.STOP: Ending.CANCELLED, Wish.WAIT: Ending.PAUSED}


def admit(run_id: UUID, name: StageName, *, project_id: UUID) -> StageLease | None:
    """Return a lease on the stage, or None when there is nothing to do for this worker."""
    with unit_of_work(project_id) as session:
        lease = stages.claim(session, run_id, name)
        if lease is None:
            return None
        if jobs.wish(session, run_id) is Wish.STOP:
            stages.cancelled(session, lease)
            workspace.forget(run_id)
            return None
        if lease.attempt > settings().stage_attempts:
            stages.fail(session, lease, _worn_out(lease))
            workspace.forget(run_id)
            return None
        paused = pauses.of_stage(session, run_id, name)
    return lease if paused is None or _has_room(lease, paused) else None


def _has_room(lease: StageLease, paused: Pause) -> bool:
    """Let a stage that waited for room go on, or wait longer."""
    full = disk.shortage(paused.needs)
    with unit_of_work(lease.project_id) as session:
        if full is None:
            pauses.lift_stage(session, lease.run_id, lease.name)
        else:
            stages.pause(session, lease, pauses.of_disk(full))
    return full is None


def supervise(lease: StageLease, stopping: threading.Event) -> Ending:
    """Run the stage in a child process to its end and settle what the child could not."""

    def renew() -> None:
        with unit_of_work(lease.project_id) as session:
            stages.renew(session, lease)

    log.info("stage_started", attempt=lease.attempt)
    with Heartbeat(renew) as heartbeat, child.started(lease) as process:
        ending = _watch(process, lease, heartbeat.lost, stopping)
    log.info("stage_ended", ending=ending.value)
    try:
        _settle(lease, ending, process)
    except LeaseLostError:
        log.warning("stage_belongs_to_another")
    except NotFoundError:
        log.info("run_was_deleted")
    if _wish(lease) is Wish.STOP:
        workspace.forget(lease.run_id)
    return ending


def _watch(
    process: Child, lease: StageLease, lost: threading.Event, stopping: threading.Event
) -> Ending:
    while True:
        try:
            return _judge(process.wait(POLL_SECONDS))
        except subprocess.TimeoutExpired:
            ending = _interruption(lease, lost, stopping)
        if ending is not None:
            code = process.end(leaving=LEAVING_SECONDS if ending is Ending.LOST else 0.0)
            return ending if code else Ending.FINISHED


def _interruption(
    lease: StageLease, lost: threading.Event, stopping: threading.Event
) -> Ending | None:
    if lost.is_set():
        return Ending.LOST
    if stopping.is_set():
        return Ending.STOPPED
    return _INTERRUPTIONS.get(_wish(lease))


def _wish(lease: StageLease) -> Wish:
    try:
        with unit_of_work(lease.project_id) as session:
            return jobs.wish(session, lease.run_id)
    except DBAPIError as error:  # away for a while: the lease decides
        log.warning("job_state_unknown", error=type(error).__name__)
        return Wish.GO_ON


def _judge(code: int) -> Ending:
    if code == child.LOST:
        return Ending.LOST
    if code == disk.EXIT_CODE:
        return Ending.FULL
    if code < 0 or code == child.RETRY:
        return Ending.KILLED
    return Ending.FAILED if code else Ending.FINISHED


def _settle(lease: StageLease, ending: Ending, process: Child) -> None:
    if ending in {Ending.FINISHED, Ending.LOST}:
        return
    with unit_of_work(lease.project_id) as session:
        if ending is Ending.CANCELLED:
            stages.cancelled(session, lease)
        elif ending is Ending.PAUSED:
            stages.let_go(session, lease)
        elif ending is Ending.FULL:
            stages.pause(session, lease, pauses.of_disk(process.full()))
        elif ending is Ending.FAILED:
            stages.fail(session, lease, process.error())
        elif ending is Ending.KILLED and lease.attempt >= settings().stage_attempts:
            stages.fail(session, lease, _worn_out(lease))
        else:
            stages.release(session, lease, attempt_counts=ending is Ending.KILLED)
            enqueue(session, lease.name.task, lease.run_id, project_id=lease.project_id)


def _worn_out(lease: StageLease) -> dict[str, str]:
    attempts = min(lease.attempt, settings().stage_attempts)
    detail = f"The stage was begun {attempts} times and its process was ended each time."
    return {"code": "STAGE_KILLED", "detail": detail + " The machine may be short of memory."}
