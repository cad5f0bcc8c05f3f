"""The stage `embed` around its calls: claimed, kept alive, ended one way or another."""

import threading
from uuid import UUID

from services.llm_worker import away, loop
from services.llm_worker.away import EndpointAwayError
from services.llm_worker.embed import Embedding
from services.llm_worker.embed_keeping import EmbedKeeper
from services.llm_worker.endpoints import embedder
from services.llm_worker.snapshot import texts_of
from services.shared import disk
from services.shared.broker import enqueue
from services.shared.db.repos import jobs, pauses, runs, stages, usage
from services.shared.db.repos.jobs import Wish
from services.shared.db.repos.stages import StageLease
from services.shared.db.session import unit_of_work
from services.shared.errors import (
    DiskFullError,
    JobCancelledError,
    JobPausedError,
    LeaseLostError,
    WinnowError,
)
from services.shared.leases import Heartbeat
from services.shared.log import get_logger
from services.shared.memory import peak_memory
from services.shared.queues import Task
from services.shared.settings import settings
from services.shared.stages import StageName

log = get_logger(__name__)


class ShutdownError(WinnowError):
    """The worker is told to stop: the stage goes back and is sent for again."""

    code = "SHUTDOWN"


def perform(run_id: UUID, *, project_id: UUID, stopping: threading.Event) -> None:
    """Claim the stage, embed what has no vector yet, and end the stage.

    LeaseLostError, with nothing more written, when the stage went to another worker.
    """
    lease = _admit(run_id, project_id)
    if lease is None:
        return
    try:
        keeper = _Stage(lease, stopping).embed()
    except LeaseLostError:
        raise
    except WinnowError as error:
        _give_up(lease, error)
    else:
        _finish(lease, keeper)


def _admit(run_id: UUID, project_id: UUID) -> StageLease | None:
    with unit_of_work(project_id) as session:
        lease = stages.claim(session, run_id, StageName.EMBED)
        if lease is None:
            return None
        if jobs.wish(session, run_id) is Wish.STOP:
            stages.cancelled(session, lease)
            return None
        if lease.attempt > settings().stage_attempts:
            times = settings().stage_attempts
            detail = f"The stage was begun {times} times and its worker was ended each time."
            stages.fail(session, lease, {"code": "STAGE_KILLED", "detail": detail})
            return None
    return lease


class _Stage:
    """A claimed stage and those that may interrupt it."""

    def __init__(self, lease: StageLease, stopping: threading.Event) -> None:
        self._lease = lease
        self._stopping = stopping
        self._wish = Wish.GO_ON

    def embed(self) -> EmbedKeeper:
        """Embed while the lease is renewed; return what was counted."""
        with Heartbeat(self._renew) as heartbeat:
            with unit_of_work(self._lease.project_id) as session:
                run = runs.get(session, self._lease.run_id)
            texts = texts_of(run)
            keeper = EmbedKeeper(self._lease, model=run.embedder, total=texts.count())
            log.info("embedding_started", texts=texts.count())
            work = Embedding(texts, embedder(), keeper, lambda: self._check(heartbeat.lost))
            self._try_again(work)
            loop.run(work.run())
        return keeper

    def _try_again(self, work: Embedding) -> None:
        """Return if the stage was not paused, or what it waited for is there."""
        run_id, project_id = self._lease.run_id, self._lease.project_id
        with unit_of_work(project_id) as session:
            paused = pauses.of_stage(session, run_id, StageName.EMBED)
        if paused is None:
            return
        if paused.code == pauses.DISK_FULL:
            full = disk.shortage(paused.needs)
            if full is not None:
                raise full
        else:
            reply = loop.run(work.knock())
            if away.is_away(reply):
                raise EndpointAwayError(away.cause_of(pauses.EMBEDDER_AWAY, reply))
        with unit_of_work(project_id) as session:
            pauses.lift_stage(session, run_id, StageName.EMBED)

    def _renew(self) -> None:
        with unit_of_work(self._lease.project_id) as session:
            stages.renew(session, self._lease)
            self._wish = jobs.wish(session, self._lease.run_id)

    def _check(self, lost: threading.Event) -> None:
        if lost.is_set():
            raise LeaseLostError(f"stage embed of run {self._lease.run_id}")
        if self._wish is Wish.STOP:
            raise JobCancelledError("The run was cancelled.")
        if self._wish is Wish.WAIT:
            raise JobPausedError("Somebody asked the run to wait.")
        if self._stopping.is_set():
            raise ShutdownError("The worker is told to stop.")


def _finish(lease: StageLease, keeper: EmbedKeeper) -> None:
    with unit_of_work(lease.project_id) as session:
        jobs.lock(session, lease.run_id)
        stages.report(session, lease, keeper.progress())
        used = usage.of_run(session, lease.run_id, kind="embedding")
        figures = {**keeper.figures(), "usage": used}
        stages.finish(session, lease, figures, peak_memory_bytes=peak_memory())


def _give_up(lease: StageLease, error: WinnowError) -> None:
    log.warning("embedding_ended", code=error.code, detail=error.detail)
    with unit_of_work(lease.project_id) as session:
        if isinstance(error, JobCancelledError):
            stages.cancelled(session, lease)
        elif isinstance(error, EndpointAwayError):
            stages.pause(session, lease, error.cause)
        elif isinstance(error, DiskFullError):
            stages.pause(session, lease, pauses.of_disk(error))
        elif isinstance(error, JobPausedError):
            stages.let_go(session, lease)
        elif isinstance(error, ShutdownError):
            stages.release(session, lease, attempt_counts=False)
            enqueue(session, Task.EMBED, lease.run_id, project_id=lease.project_id)
        else:
            stages.fail(session, lease, {"code": error.code, "detail": error.detail})
