"""A stage's child process and the one who waits for it: keeps the lease, ends it, settles it.

The child finishes its stage itself. Everything else that can become of it is settled here: it
failed with a reason, was killed, was cancelled, lost its lease, or the worker must stop.
"""

import subprocess
import threading
import time
from enum import Enum
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from services.shared.broker import enqueue
from services.shared.db.repos import jobs, stages
from services.shared.db.repos.stages import StageLease
from services.shared.db.session import unit_of_work
from services.shared.errors import LeaseLostError, NotFoundError
from services.shared.leases import Heartbeat
from services.shared.log import get_logger
from services.shared.settings import settings
from services.shared.stages import StageName
from services.trainer import child, metrics, workspace
from services.trainer.child import Child

log = get_logger(__name__)

POLL_SECONDS = 1.0

LEAVING_SECONDS = 3.0
"""A lease ends with its stage too; the process that ended the stage takes a moment to go."""

UNWANTED = {None, "cancelling", "cancelled", "failed"}


class Ending(Enum):
    """What became of a child."""

    FINISHED = "finished"
    FAILED = "failed"
    KILLED = "killed"
    CANCELLED = "cancelled"
    LOST = "lost"
    STOPPED = "stopped"


def admit(run_id: UUID, name: StageName, *, project_id: UUID) -> StageLease | None:
    """Return a lease on the stage, or None when there is nothing to do for this worker."""
    with unit_of_work(project_id) as session:
        lease = stages.claim(session, run_id, name)
        if lease is None:
            return None
        if jobs.state(session, run_id) in UNWANTED:
            stages.cancelled(session, lease)
            workspace.forget(run_id)
            return None
        if lease.attempt > settings().stage_attempts:
            stages.fail(session, lease, _worn_out(lease))
            workspace.forget(run_id)
            return None
    return lease


def supervise(lease: StageLease, stopping: threading.Event) -> Ending:
    """Run the stage in a child process to its end and settle what the child could not."""

    def renew() -> None:
        with unit_of_work(lease.project_id) as session:
            stages.renew(session, lease)

    log.info("stage_started", attempt=lease.attempt)
    begun = time.monotonic()
    with Heartbeat(renew) as heartbeat, child.started(lease) as process:
        ending = _watch(process, lease, heartbeat.lost, stopping)
    log.info("stage_ended", ending=ending.value)
    metrics.STAGES.labels(lease.name.value, ending.value).inc()
    metrics.SECONDS.labels(lease.name.value).observe(time.monotonic() - begun)
    try:
        _settle(lease, ending, process)
    except LeaseLostError:
        log.warning("stage_belongs_to_another")
    except NotFoundError:
        log.info("run_was_deleted")
    if _unwanted(lease):
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
    return Ending.CANCELLED if _unwanted(lease) else None


def _unwanted(lease: StageLease) -> bool:
    try:
        return _state(lease) in UNWANTED
    except DBAPIError as error:  # away for a while: the lease decides
        log.warning("job_state_unknown", error=type(error).__name__)
        return False


def _state(lease: StageLease) -> str | None:
    with unit_of_work(lease.project_id) as session:
        return jobs.state(session, lease.run_id)


def _judge(code: int) -> Ending:
    if code == child.LOST:
        return Ending.LOST
    if code < 0 or code == child.RETRY:
        return Ending.KILLED
    return Ending.FAILED if code else Ending.FINISHED


def _settle(lease: StageLease, ending: Ending, process: Child) -> None:
    if ending is Ending.FINISHED:
        _tell_memory(lease)
    if ending in {Ending.FINISHED, Ending.LOST}:
        return
    with unit_of_work(lease.project_id) as session:
        if ending is Ending.CANCELLED:
            stages.cancelled(session, lease)
        elif ending is Ending.FAILED:
            stages.fail(session, lease, process.error())
        elif ending is Ending.KILLED and lease.attempt >= settings().stage_attempts:
            stages.fail(session, lease, _worn_out(lease))
        else:
            stages.release(session, lease, attempt_counts=ending is Ending.KILLED)
            enqueue(session, lease.name.task, lease.run_id, project_id=lease.project_id)


def _tell_memory(lease: StageLease) -> None:
    try:
        with unit_of_work(lease.project_id) as session:
            peak = stages.peak_memory(session, lease)
    except DBAPIError as error:  # a figure, and no reason to fail
        log.warning("peak_memory_unknown", error=type(error).__name__)
    else:
        if peak is not None:
            metrics.PEAK_MEMORY.labels(lease.name.value).set(peak)


def _worn_out(lease: StageLease) -> dict[str, str]:
    attempts = min(lease.attempt, settings().stage_attempts)
    detail = f"The stage was begun {attempts} times and its process was ended each time."
    return {"code": "STAGE_KILLED", "detail": detail + " The machine may be short of memory."}
