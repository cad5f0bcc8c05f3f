"""One doorway per task: read the message, hand over, and come back later where that is asked."""

import threading
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from celery import Celery

from services.llm_worker import batch, embed_stage, rating_stage
from services.shared.celery import MESSAGE_VERSION
from services.shared.errors import LeaseLostError, RetryLaterError
from services.shared.log import bound, get_logger
from services.shared.queues import Task

log = get_logger(__name__)

STOPPING = threading.Event()
"""Set when the worker is told to stop: calls under way end, the rest is given back."""


def register(app: Celery) -> None:
    """Give the app its three tasks."""
    for task in WORK:
        app.task(name=task.value, bind=True)(_doorway(task))


def enter(task: Task, message: Mapping[str, Any]) -> None:
    """Do what the message names, unless another worker has it or it has ended."""
    if message["v"] != MESSAGE_VERSION:
        log.warning("message_of_another_version", version=message["v"])  # the sweep sends again
        return
    run_id, project_id = UUID(message["id"]), UUID(message["project_id"])
    ids = {"request_id": message["request_id"], "run_id": run_id, "task": task.value}
    with bound(**{name: value for name, value in ids.items() if value is not None}):
        try:
            WORK[task](run_id, project_id)
        except LeaseLostError as error:
            log.warning("belongs_to_another", detail=error.detail)


def _embed(run_id: UUID, project_id: UUID) -> None:
    embed_stage.perform(run_id, project_id=project_id, stopping=STOPPING)


def _rate(run_id: UUID, project_id: UUID) -> None:
    rating_stage.begin(run_id, project_id=project_id)


def _rate_batch(run_id: UUID, project_id: UUID) -> None:
    batch.rate_next(run_id, project_id=project_id, stopping=STOPPING)


WORK: dict[Task, Callable[[UUID, UUID], None]] = {
    Task.EMBED: _embed,
    Task.RATE: _rate,
    Task.RATE_BATCH: _rate_batch,
}


def _doorway(task: Task) -> Callable[..., None]:
    def run(self: Any, message: dict[str, Any]) -> None:  # noqa: ANN401 - Celery's own task
        try:
            enter(task, message)
        except RetryLaterError as error:
            raise self.retry(countdown=error.retry_after, max_retries=None) from error

    run.__name__ = task.name.lower()
    return run
