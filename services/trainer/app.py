"""The worker's Celery app: it supervises child processes and computes nothing itself.

Its pool are threads, since a doorway only waits for its child: no fork, and two stages at once
cost one process.
"""

from celery import Celery
from celery.signals import worker_shutting_down

import services.shared.forking  # noqa: F401 - should an operator choose a pool that forks
from services.shared import metrics
from services.shared.celery import make_app
from services.shared.presence import Presence
from services.shared.queues import Queue
from services.trainer import tasks

QUEUES = "train,light"
CONCURRENCY = 2
OPTIONS = ("--without-gossip", "--without-mingle")
"""Workers learn nothing from each other: Postgres tells."""


def worker_app() -> Celery:
    """Return the app with one task per stage; TERM ends the children and releases their stages."""
    app = make_app("winnow-trainer", queues=QUEUES)
    app.conf.update(worker_pool="threads", worker_concurrency=CONCURRENCY)
    tasks.register(app)
    worker_shutting_down.connect(_stop, weak=False)
    return app


def _stop(**_: object) -> None:
    tasks.STOPPING.set()


def main() -> None:
    """Serve until told to stop."""
    metrics.serve("trainer")
    with Presence([Queue(name) for name in QUEUES.split(",")]):
        worker_app().worker_main(
            ["--quiet", "worker", f"--queues={QUEUES}", "--hostname=trainer@%h", *OPTIONS]
        )
