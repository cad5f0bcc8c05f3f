"""Celery as Winnow uses it: JSON, late acknowledgement, no results."""

from functools import lru_cache

from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun
from kombu import pools
from structlog.contextvars import bind_contextvars, unbind_contextvars

from services.shared.pulse import Pulse
from services.shared.settings import settings

MESSAGE_VERSION = 1


def make_app(name: str, *, queues: str = "") -> Celery:
    """Return an app for the process `name`.

    Nothing is lost when a child or a whole worker is killed: a message is acknowledged after its
    task, comes back when the child dies, and is restored seconds after its visibility timeout.
    What a message names is claimed under a lease in Postgres, so a second delivery does no harm.
    """
    setup_logging.connect(_leave_logging_alone, weak=False)
    task_prerun.connect(_name_task, weak=False)
    task_postrun.connect(_forget_task, weak=False)
    app = Celery(name, broker=settings().require("redis_url"), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=queues.split(",", maxsplit=1)[0] or "light",
        task_create_missing_queues=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": 3600,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
        },
    )
    app.steps["consumer"].add(Pulse)
    return app


@lru_cache(maxsize=1)
def sender() -> Celery:
    """Return the app through which this process only sends; fails fast when the broker is away."""
    app = make_app("winnow-sender")
    app.conf.update(
        task_publish_retry=False,
        # without a word on retries a connection is tried for four more seconds, and a caller waits
        broker_transport_options={
            "socket_timeout": 3,
            "socket_connect_timeout": 2,
            "max_retries": 0,
        },
    )
    return app


def close_sender() -> None:
    """Close this process' connections to the broker; the next message opens new ones.

    Celery's own `close` forgets its pools with their sockets open.
    """
    pools.reset()  # type: ignore[no-untyped-call] # kombu has no types
    sender.cache_clear()


def _leave_logging_alone(**_: object) -> None:
    """Stand where Celery's own set-up would, which lowers the root logger's level."""


def _name_task(task_id: str, **_: object) -> None:
    """Let every line that the task logs carry its id."""
    bind_contextvars(task_id=task_id)


def _forget_task(**_: object) -> None:
    unbind_contextvars("task_id")
