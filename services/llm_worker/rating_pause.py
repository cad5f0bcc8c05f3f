"""A rating that was paused: tried when it is due, and let go on once its cause is gone."""

import threading
from uuid import UUID

from services.llm_worker import away, loop
from services.llm_worker.endpoints import rater
from services.llm_worker.limiter import StoppedError
from services.shared import disk
from services.shared.db.repos import batches, jobs, pauses, runs, usage
from services.shared.db.repos.jobs import Wish
from services.shared.db.repos.pauses import DISK_FULL, LLM_AWAY, Cause, Pause
from services.shared.db.session import unit_of_work
from services.shared.llm.protocol import ChatReply
from services.shared.log import get_logger
from services.shared.stages import StageName

log = get_logger(__name__)


def may_go_on(run_id: UUID, *, project_id: UUID, stopping: threading.Event) -> bool:
    """Say whether the run's batches may be rated now.

    One that was paused and is due is tried first: of all who hear of it, one knocks. When the
    cause is gone, as many workers are sent for as a run may have.
    """
    with unit_of_work(project_id) as session:
        paused = pauses.of_stage(session, run_id, StageName.RATE)
        wish = jobs.wish(session, run_id)
        if paused is None or wish is not Wish.GO_ON:
            return wish is not Wish.WAIT
        if not pauses.take_turn(session, run_id, StageName.RATE):
            return False
        model = runs.get(session, run_id).llm
    try:
        cause = _still_there(paused, run_id, project_id, model, stopping)
    except StoppedError:  # the next turn is another worker's
        return False
    with unit_of_work(project_id) as session:
        if cause is not None:
            pauses.hold_stage(session, run_id, StageName.RATE, cause, tried=True)
            log.info("rating_still_paused", code=cause.code)
            return False
        pauses.lift_stage(session, run_id, StageName.RATE)
        batches.send(session, run_id, project_id=project_id, under_way=1)
    log.info("rating_goes_on", code=paused.code)
    return True


def _still_there(
    paused: Pause, run_id: UUID, project_id: UUID, model: str, stopping: threading.Event
) -> Cause | None:
    """Return the cause as it is now; None when it is gone."""
    if paused.code == DISK_FULL:
        full = disk.shortage(paused.needs)
        return None if full is None else pauses.of_disk(full)
    reply = loop.run(away.knock_at_llm(rater(), model, stopping.is_set))
    _count(reply, run_id, project_id, model)
    return away.cause_of(LLM_AWAY, reply) if away.is_away(reply) else None


def _count(reply: ChatReply, run_id: UUID, project_id: UUID, model: str) -> None:
    attempt = usage.attempt_of(reply, kind="chat", model=model, number=1)
    with unit_of_work(project_id) as session:
        usage.add(session, [attempt], project_id=project_id, run_id=run_id)
