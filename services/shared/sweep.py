"""Re-sends what a crash lost: Postgres knows what should be under way."""

from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from services.shared import broker, metrics
from services.shared.db.session import unit_of_work
from services.shared.queues import Task
from services.shared.settings import settings

log = structlog.get_logger(__name__)

_LOCK = 0x77696E6E  # one sweeper at a time, on any number of hosts


def sweep() -> int:
    """Send again every message whose work waits too long without a holder; return how many.

    A stage, batch or import waits too long when its lease has run out, or when it was sent and
    not claimed for two leases. Sending twice is harmless: the claim decides.
    """
    with unit_of_work() as session:
        if not session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}):
            return 0
        overdue = _take_overdue(session)
    for message in overdue:
        broker.send(message)
    if overdue:
        metrics.SWEPT.inc(len(overdue))
        log.info("sweep.sent", count=len(overdue))  # `messages` would be redacted
    return len(overdue)


def _take_overdue(session: Session) -> list[broker.Message]:
    rows = session.execute(
        text("SELECT task, id, project_id FROM sweep_overdue(make_interval(secs => :patience))"),
        {"patience": 2 * settings().lease_seconds},
    )
    return [
        broker.Message(Task(row.task), str(row.id), str(UUID(str(row.project_id))), None)
        for row in rows
    ]
