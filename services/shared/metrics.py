"""What processes count for whoever watches them, in Prometheus' text format.

A label holds names that this code knows: routes, stages, states, models of the settings. Ids of
people, projects and jobs never: a metric is read by others than their owners.
"""

import time
from collections.abc import Mapping
from threading import Lock

from celery.signals import task_postrun, task_prerun
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest, start_http_server

from services.shared.log import get_logger
from services.shared.queues import Task
from services.shared.settings import settings

log = get_logger(__name__)

CONTENT_TYPE = CONTENT_TYPE_LATEST

OFFSETS: Mapping[str, int] = {"api-worker": 0, "llm_worker": 1, "trainer": 2}
"""Added to WINNOW_METRICS_PORT, so that one setting serves all workers of a machine."""

LONG = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
"""Buckets, in seconds, of what takes from moments to hours."""

TASKS = Counter("winnow_tasks", "Messages that were worked on.", ["task", "ending"])
TASK_SECONDS = Histogram(
    "winnow_task_seconds", "What working on a message took.", ["task"], buckets=LONG
)
LEASES_LOST = Counter("winnow_leases_lost", "Work that a newer holder has taken over.", ["kind"])
SWEPT = Counter("winnow_swept_messages", "Messages that were sent again by the sweep.")

_KNOWN = frozenset(task.value for task in Task)
_BEGUN: dict[str, float] = {}
_LOCK = Lock()


def text(*registries: CollectorRegistry) -> bytes:
    """Return everything that this process counts, and what the registries add."""
    return b"".join(generate_latest(one) for one in (REGISTRY, *registries))


def serve(process: str) -> None:
    """Answer /metrics on a port of this worker's own, if that is configured.

    A port that is taken is told in the log, and no reason not to work.
    """
    watch_tasks()
    own = settings()
    if not own.metrics_port:
        return
    port = own.metrics_port + OFFSETS[process]
    try:
        start_http_server(port, addr=own.metrics_host)
    except OSError as error:
        log.warning("metrics_not_served", port=port, error=type(error).__name__)
    else:
        log.info("metrics_served", host=own.metrics_host, port=port)


def watch_tasks() -> None:
    """Count and time what this worker's Celery does; safe to repeat."""
    task_prerun.connect(_begin, weak=False, dispatch_uid="winnow.metrics")
    task_postrun.connect(_end, weak=False, dispatch_uid="winnow.metrics")


def _begin(task_id: str, **_: object) -> None:
    with _LOCK:
        _BEGUN[task_id] = time.monotonic()


def _end(task_id: str, sender: object = None, state: str | None = None, **_: object) -> None:
    with _LOCK:
        begun = _BEGUN.pop(task_id, None)
    name = str(getattr(sender, "name", ""))
    name = name if name in _KNOWN else "other"
    TASKS.labels(name, (state or "unknown").lower()).inc()
    if begun is not None:
        TASK_SECONDS.labels(name).observe(time.monotonic() - begun)
