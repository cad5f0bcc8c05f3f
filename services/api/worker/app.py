"""The worker's Celery app.

Its pool are threads: a doorway waits for Postgres or for the parser's process, and computes
nothing itself.
"""

from celery import Celery
from celery.signals import worker_shutting_down

import services.shared.forking  # noqa: F401 - should an operator choose a pool that forks
from services.api.worker import tasks
from services.api.worker.timer import Timer
from services.shared import metrics
from services.shared.celery import make_app
from services.shared.presence import Presence
from services.shared.queues import Queue
from services.shared.settings import settings

CONCURRENCY = 2
NEEDED = ("database_url", "ingest_database_url", "redis_url", "artifacts_url", "spool_dir")


def worker_app() -> Celery:
    """Return the app with its tasks; TERM ends the parsers and gives their imports back."""
    app = make_app("winnow-api-worker", queues=Queue.INGEST)
    app.conf.update(worker_pool="threads", worker_concurrency=CONCURRENCY)
    tasks.register(app)
    worker_shutting_down.connect(_stop, weak=False)
    return app


def main() -> None:
    """Check that everything is configured, then serve until told to stop."""
    for name in NEEDED:
        settings().require(name)
    metrics.serve("api-worker")
    with Timer(), Presence((Queue.INGEST,)):
        worker_app().worker_main(
            ["worker", f"--queues={Queue.INGEST}", "--without-gossip", "--without-mingle"]
        )


def _stop(**_: object) -> None:
    tasks.STOPPING.set()
