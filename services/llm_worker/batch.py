"""A batch from claim to end: whoever hears of a run takes its next batch and settles it."""

import threading
from uuid import UUID

from services.llm_worker import loop, rating_stage
from services.llm_worker.endpoints import rater
from services.llm_worker.keeping import Keeper
from services.llm_worker.questions import PairQuestion, Questioner
from services.llm_worker.rate import Rating, Stop
from services.llm_worker.rating_pause import may_go_on
from services.llm_worker.settle import bury, settle, wait
from services.llm_worker.snapshot import texts_of
from services.shared.db.repos import batches, jobs, pauses, prompts, ratings, runs
from services.shared.db.repos.batches import BatchLease
from services.shared.db.repos.jobs import Wish
from services.shared.db.session import unit_of_work
from services.shared.errors import DiskFullError, LeaseLostError, RetryLaterError, WinnowError
from services.shared.leases import Heartbeat
from services.shared.log import bound, get_logger
from services.shared.settings import settings

log = get_logger(__name__)

_STOPS = {Wish.STOP: Stop.CANCELLED, Wish.WAIT: Stop.PAUSED}


def rate_next(run_id: UUID, *, project_id: UUID, stopping: threading.Event) -> None:
    """Claim the run's next batch, rate it and settle it; nothing to claim is no error.

    Raises RetryLaterError when a question meets only errors, LeaseLostError when the batch went to
    another worker.
    """
    if not may_go_on(run_id, project_id=project_id, stopping=stopping):
        return
    lease = _admit(run_id, project_id)
    if lease is None:
        return
    with bound(batch_id=lease.id, attempt=lease.attempt):
        try:
            rating = _Batch(lease, stopping).rate()
        except (LeaseLostError, RetryLaterError):
            raise
        except DiskFullError as error:
            wait(lease, pauses.of_disk(error))
            return
        except WinnowError as error:
            bury(lease, code=error.code, detail=error.detail)
            return
        settle(lease, rating)


def _admit(run_id: UUID, project_id: UUID) -> BatchLease | None:
    with unit_of_work(project_id) as session:
        wanted = jobs.wish(session, run_id) is Wish.GO_ON
        lease = batches.claim(session, run_id) if wanted else None
    if lease is None:
        with unit_of_work(project_id) as session:
            if jobs.state(session, run_id) is not None:
                rating_stage.go_on(session, run_id, project_id=project_id)
        return None
    if lease.attempt <= settings().stage_attempts:
        return lease
    times = settings().stage_attempts
    bury(lease, code="BATCH_KILLED", detail=f"A batch was begun {times} times and never ended.")
    return None


class _Batch:
    """A claimed batch and the two that may interrupt it: its lease and the worker's end."""

    def __init__(self, lease: BatchLease, stopping: threading.Event) -> None:
        self._lease = lease
        self._stopping = stopping
        self._wish = Wish.GO_ON

    def rate(self) -> Rating | None:
        """Rate the batch while its lease is renewed; None when nothing was left to ask."""
        with Heartbeat(self._renew) as heartbeat:
            keeper, questions = self._prepare()
            if not questions:
                return None
            log.info("batch_started", calls=len(questions))
            rating = Rating(questions, rater(), keeper, lambda: self._interruption(heartbeat.lost))
            loop.run(rating.run())
            return rating

    def _prepare(self) -> tuple[Keeper, list[PairQuestion]]:
        """Return what is left to ask, once all that was answered before is linked."""
        with unit_of_work(self._lease.project_id) as session:
            run = runs.get(session, self._lease.run_id)
            pairs = batches.pairs_of(session, self._lease)
            linked = ratings.already_linked(
                session, run.id, [(pair.user_id, pair.item_id) for pair in pairs]
            )
            templates = prompts.templates(session, run.prompt_version)
        limit = settings().limits.prompt_text_chars
        questioner = Questioner(templates=templates, model=run.llm, max_chars=limit)
        keeper = Keeper(self._lease, run)
        return keeper, keeper.find(questioner.of(pairs, texts_of(run), linked=linked))

    def _renew(self) -> None:
        with unit_of_work(self._lease.project_id) as session:
            batches.renew(session, self._lease)
            self._wish = jobs.wish(session, self._lease.run_id)

    def _interruption(self, lost: threading.Event) -> Stop | None:
        if lost.is_set():
            raise LeaseLostError(f"batch {self._lease.id}")
        if self._stopping.is_set():
            return Stop.SHUTDOWN
        return _STOPS.get(self._wish)
