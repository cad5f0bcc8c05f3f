"""What becomes of a batch that its worker lets go of, and of its run."""

from services.llm_worker import rating_stage
from services.llm_worker.rate import Rating, Stop
from services.shared.db.repos import batches, jobs
from services.shared.db.repos.batches import BatchLease
from services.shared.db.session import unit_of_work
from services.shared.errors import RetryLaterError
from services.shared.log import get_logger
from services.shared.settings import settings

log = get_logger(__name__)

_INTERNAL_ERROR = 500  # an endpoint that is down or overloaded says 502, 503 or 504

AWAY_SECONDS = 15.0
"""Until a batch is tried again whose endpoint was away."""


def settle(lease: BatchLease, rating: Rating | None) -> None:
    """End or release the batch and go on with its run; RetryLaterError where the LLM is away.

    LeaseLostError, with nothing written, when the batch is another's by now.
    """
    stop = rating.stop if rating else None
    log.info("batch_ended", ending=stop.value if stop else "done")
    if rating is not None and stop is Stop.DENIED:
        bury(lease, code="LLM_REFUSED", detail=_refusal(rating))
    elif rating is not None and stop is Stop.AWAY:
        _put_off(lease, rating)
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
        elif stop is Stop.SHUTDOWN:
            batches.give_back(session, lease)
        else:
            batches.finish(session, lease)
        rating_stage.go_on(session, lease.run_id, project_id=lease.project_id)


def _put_off(lease: BatchLease, rating: Rating) -> None:
    """Try later: as often as it takes while nothing answers, else as often as a batch may."""
    own = _own_fault(rating)
    if own and lease.attempt >= settings().stage_attempts:
        bury(lease, code="LLM_UNAVAILABLE", detail=_unavailable(lease))
        return
    with unit_of_work(lease.project_id) as session:
        release = batches.release if own else batches.give_back
        release(session, lease)
    log.warning("llm_away", answered=rating.answered, retry_seconds=AWAY_SECONDS)
    raise RetryLaterError("The LLM's endpoint is away.", retry_after=AWAY_SECONDS)


def _own_fault(rating: Rating) -> bool:
    """Say whether a question of the batch, not the endpoint's state, is likely to blame."""
    trouble = rating.trouble
    if trouble is None or trouble.status == "rate_limited":
        return False
    return rating.answered > 0 or trouble.http_status == _INTERNAL_ERROR


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
