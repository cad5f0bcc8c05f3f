"""One doorway per stage: read the message, claim, hand over to the supervisor."""

import threading
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from celery import Celery

from services.shared.celery import MESSAGE_VERSION
from services.shared.log import bound, get_logger
from services.shared.queues import Queue
from services.shared.stages import StageName
from services.trainer.supervise import admit, supervise

log = get_logger(__name__)

STOPPING = threading.Event()
"""Set when the worker is told to stop: every child is ended and its stage released."""

STAGES = tuple(name for name in StageName if name.task.queue in {Queue.TRAIN, Queue.LIGHT})


def register(app: Celery) -> None:
    """Give the app one task for each stage that this worker runs."""
    for name in STAGES:
        app.task(name=name.task.value)(_doorway(name))


def enter(name: StageName, message: Mapping[str, Any]) -> None:
    """Run the stage that the message names, unless another worker has it or it has ended."""
    if message["v"] != MESSAGE_VERSION:
        log.warning("message_of_another_version", version=message["v"])  # the sweep sends again
        return
    run_id, project_id = UUID(message["id"]), UUID(message["project_id"])
    asked_by = {} if message["request_id"] is None else {"request_id": message["request_id"]}
    with bound(run_id=run_id, stage=name.value, **asked_by):
        lease = admit(run_id, name, project_id=project_id)
        if lease is not None:
            supervise(lease, STOPPING)


def _doorway(name: StageName) -> Callable[..., None]:
    def run(message: dict[str, Any]) -> None:
        enter(name, message)

    run.__name__ = name.value
    return run
