"""The doorways: read the message, hand over."""

import threading
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from celery import Celery

from services.api.ingest import reports
from services.api.use_cases.purge_dataset import purge_dataset
from services.api.worker.perform_import import perform_import
from services.shared.celery import MESSAGE_VERSION
from services.shared.log import bound, get_logger
from services.shared.queues import Task

log = get_logger(__name__)

STOPPING = threading.Event()
"""Set when the worker is told to stop: what is under way is given back."""


def register(app: Celery) -> None:
    """Give the app its tasks."""
    app.task(name=Task.IMPORT.value)(_doorway(Task.IMPORT))
    app.task(name=Task.PURGE_DATASET.value)(_doorway(Task.PURGE_DATASET))


def enter(task: Task, message: Mapping[str, Any]) -> None:
    """Do what the message asks for, unless another has done it or is at it."""
    if message["v"] != MESSAGE_VERSION:
        log.warning("message_of_another_version", version=message["v"])  # the sweep sends again
        return
    ident, project_id = UUID(message["id"]), UUID(message["project_id"])
    with bound(request_id=message["request_id"], task=task.value, id=ident):
        if task is Task.IMPORT:
            perform_import(ident, project_id=project_id, stopping=STOPPING)
        else:
            purge_dataset(
                ident,
                project_id=project_id,
                store=reports.store(),
                reports=reports.prefix(ident),
                stopping=STOPPING,
            )


def _doorway(task: Task) -> Callable[..., None]:
    def run(message: dict[str, Any]) -> None:
        enter(task, message)

    run.__name__ = task.name  # Celery writes it after `def`: no dot, no keyword
    return run
