"""What becomes of a batch that its worker lets go of, and of its run."""

from services.llm_worker import away, rating_stage
from services.llm_worker.rate import Rating, Stop
from services.shared.db.repos import batches, jobs, pauses
from services.shared.db.repos.batches import BatchLease
from services.shared.db.repos.pauses import LLM_AWAY, Cause
from services.shared.db.session import unit_of_work
from services.shared.errors import RetryLaterError
from services.shared.llm.protocol import ChatReply
from services.shared.log import get_logger
from services.shared.settings import settings
from services.shared.stages import StageName

log = get_logger(__name__)


def settle(lease: BatchLease, rating: Rating | None) -> None:
    """End or release the batch and go on with its run, or let it wait; RetryLaterError: ask again.

    LeaseLostError, with nothing written, when the batch is another's by now.
    """
    stop = rating.stop if rating else None
    log.info("batch_ended", ending=stop.value if stop else "done")
    if rating is not None and stop is Stop.DENIED:
        bury(lease, code="LLM_REFUSED", detail=_refusal(rating))
    elif rating is not None and stop is Stop.AWAY and rating.trouble is not None:
        _put_off(lease, rating, rating.trouble)
    else:
        _end(lease, stop)


def bury(lease: BatchLease, *, code: str, detail: str) -> None:
    """End the batch as dead, and with it the run."""
    with unit_of_work(lease.project_id) as session:
        jobs.lock(session, lease.run_id)
        batches.bury(session, lease, {"code": code, "detail": detail})
        rating_stage.go_on(session, lease.run_id, project_id=lease.project_id)


def _end(lease: BatchLease, stop: Stop | None) -> None:
    with unit_of_work(lease.project_id) as session:
        jobs.lock(session, lease.run_id)
        if stop is Stop.CANCELLED:
            batches.cancel(session, lease)
        elif stop in {Stop.SHUTDOWN, Stop.PAUSED}:
            batches.give_back(session, lease)
        else:
            batches.finish(session, lease)
        rating_stage.go_on(session, lease.run_id, project_id=lease.project_id)


def wait(lease: BatchLease, cause: Cause) -> None:
    """Give the batch back, no attempt counted, and let its run's rating wait for what is away."""
    with unit_of_work(lease.project_id) as session:
        jobs.lock(session, lease.run_id)
        batches.give_back(session, lease)
        pauses.hold_stage(session, lease.run_id, StageName.RATE, cause)
        rating_stage.go_on(session, lease.run_id, project_id=lease.project_id)
    log.warning("rating_paused", code=cause.code)


def _put_off(lease: BatchLease, rating: Rating, trouble: ChatReply) -> None:
    """Wait for an endpoint that is away; a question that is to blame is asked as often as may be.

    RetryLaterError where it is to be asked again.
    """
    if not rating.blamed:
        wait(lease, away.cause_of(LLM_AWAY, trouble))
        return
    if lease.attempt >= settings().stage_attempts:
        bury(lease, code="LLM_UNAVAILABLE", detail=_unavailable(lease))
        return
    with unit_of_work(lease.project_id) as session:
        batches.release(session, lease)
    seconds = settings().retry_first_seconds
    log.warning("question_in_trouble", answered=rating.answered, retry_seconds=seconds)
    raise RetryLaterError("A question met nothing but errors of the LLM.", retry_after=seconds)


def _refusal(rating: Rating) -> str:
    status = rating.trouble.http_status if rating.trouble else None
    return (
        f"The LLM's endpoint refused a request with HTTP status {status}; "
        "check WINNOW_LLM__BASE_URL, WINNOW_LLM__API_KEY and WINNOW_LLM__MODEL."
    )


def _unavailable(lease: BatchLease) -> str:
    return (
        f"A batch was tried {lease.attempt} times, and each time a question met nothing but "
        "errors of the LLM's endpoint."
    )
