"""Messages that leave on commit and die on rollback; a lost one is re-sent by the sweep."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from kombu.exceptions import KombuError
from redis.exceptions import RedisError
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from services.shared.celery import MESSAGE_VERSION, sender
from services.shared.queues import Task

log = structlog.get_logger(__name__)

_OUTBOX = "winnow.outbox"
_MARKS = "winnow.outbox_marks"


@dataclass(frozen=True)
class Message:
    """A hint that there is work: Postgres says what it is."""

    task: Task
    id: str
    project_id: str
    request_id: str | None

    def body(self) -> dict[str, Any]:
        """Return what goes over the wire."""
        return {
            "v": MESSAGE_VERSION,
            "id": self.id,
            "project_id": self.project_id,
            "request_id": self.request_id,
        }


def enqueue(session: Session, task: Task, id_: UUID | str, *, project_id: UUID | str) -> None:
    """Send `task` about `id_` when the session's transaction has committed, not before."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    message = Message(task, str(id_), str(project_id), request_id)
    session.info.setdefault(_OUTBOX, []).append(message)


def pending(session: Session) -> list[Message]:
    """Return the messages that wait for the session's commit."""
    return list(session.info.get(_OUTBOX, []))


def send_all(session: Session) -> None:
    """Send what the committed transaction enqueued; a broker that is away is left to the sweep."""
    messages = session.info.pop(_OUTBOX, [])
    session.info.pop(_MARKS, None)
    for position, message in enumerate(messages):
        try:
            send(message)
        except (KombuError, RedisError, OSError) as error:
            left = len(messages) - position
            log.warning("broker.away", error=type(error).__name__, messages_left=left)
            return


def send(message: Message) -> None:
    """Hand one message to the broker now."""
    sender().send_task(
        message.task.value, kwargs={"message": message.body()}, queue=message.task.queue.value
    )


def watch_savepoints(session: Session) -> None:
    """Drop the messages of a savepoint that is rolled back, and no others."""
    event.listen(session, "after_transaction_create", _mark)
    event.listen(session, "after_soft_rollback", _truncate)


def _mark(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        marks = session.info.setdefault(_MARKS, {})
        marks[id(transaction)] = len(session.info.get(_OUTBOX, []))


def _truncate(session: Session, transaction: SessionTransaction) -> None:
    mark = session.info.get(_MARKS, {}).get(id(transaction), 0) if transaction.nested else 0
    if not transaction.nested and transaction.parent is not None:
        return
    del session.info.get(_OUTBOX, [])[mark:]
