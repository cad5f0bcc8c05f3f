"""The worker's Celery app. Its pool are threads that wait; all calls share one event loop.

No fork: nothing is inherited, a killed worker is one killed process, and the limits of an
endpoint hold for the whole of it. More cores are used by more workers.
"""

from celery import Celery
from celery.signals import worker_shutting_down

from services.llm_worker import tasks
from services.shared import metrics
from services.shared.celery import make_app
from services.shared.presence import Presence
from services.shared.queues import Queue

CONCURRENCY = 4
"""Stages and batches at once: one that embeds for long must not hold up another run's ratings."""


def worker_app() -> Celery:
    """Return the app with its tasks; TERM lets the calls under way end and keeps their answers."""
    app = make_app("winnow-llm-worker", queues=Queue.RATE.value)
    app.conf.update(worker_pool="threads", worker_concurrency=CONCURRENCY)
    tasks.register(app)
    worker_shutting_down.connect(_stop, weak=False)
    return app


def _stop(**_: object) -> None:
    tasks.STOPPING.set()


def main() -> None:
    """Serve until told to stop."""
    queues = f"--queues={Queue.RATE.value}"
    metrics.serve("llm_worker")
    with Presence((Queue.RATE,)):
        worker_app().worker_main(["worker", queues, "--without-gossip", "--without-mingle"])
