"""Rating batches: at most a minute of work each, claimed with a lease, fenced by a token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update
from sqlalchemy.orm import Session

from services.shared.broker import enqueue
from services.shared.db.tables import Candidate, RatingBatch, Stage
from services.shared.errors import LeaseLostError
from services.shared.ids import new_id
from services.shared.queues import Task
from services.shared.settings import settings

VIEWS_PER_PAIR = 2

AT_ONCE = 4
"""Messages of one run under way, so as many workers rate it side by side."""

_CUT = text("""
    WITH numbered AS (
        SELECT user_id, item_id,
               (row_number() OVER (ORDER BY user_id, item_id) - 1) / :pairs AS number
        FROM candidates WHERE run_id = :run_id AND batch_id IS NULL
    )
    UPDATE candidates c SET batch_id = (CAST(:ids AS uuid[]))[n.number + 1]
    FROM numbered n
    WHERE c.run_id = :run_id AND c.user_id = n.user_id AND c.item_id = n.item_id
""")


@dataclass(frozen=True)
class BatchLease:
    """The right to rate a batch while the token is the newest."""

    id: UUID
    run_id: UUID
    project_id: UUID
    token: int
    attempt: int


def cut(session: Session, *, run_id: UUID, project_id: UUID) -> int:
    """Cut the run's candidates into batches, users together; return how many. Safe to repeat."""
    pairs = settings().batch_pairs
    waiting = Candidate.run_id == run_id, Candidate.batch_id.is_(None)
    total = session.scalar(select(func.count()).where(*waiting)) or 0
    ids = [new_id() for _ in range(-(-total // pairs))]
    for number, batch_id in enumerate(ids):
        calls = VIEWS_PER_PAIR * min(pairs, total - number * pairs)
        session.add(
            RatingBatch(
                id=batch_id, run_id=run_id, project_id=project_id, number=number, calls=calls
            )
        )
    session.flush()
    if ids:
        session.execute(_CUT, {"run_id": run_id, "pairs": pairs, "ids": [str(i) for i in ids]})
    return len(ids)


def send(session: Session, run_id: UUID, *, project_id: UUID, under_way: int = 0) -> None:
    """Send for as many workers as there are free batches, beside those `under_way`."""
    for _ in range(under_way, min(_free(session, run_id), AT_ONCE)):
        enqueue(session, Task.RATE_BATCH, run_id, project_id=project_id)


def claim(session: Session, run_id: UUID) -> BatchLease | None:
    """Return a lease on the run's next free or abandoned batch; None when there is none."""
    next_one = (
        select(RatingBatch.id)
        .where(RatingBatch.run_id == run_id, _is_free())
        .order_by(RatingBatch.number)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = session.execute(
        update(RatingBatch)
        .where(RatingBatch.id == next_one)
        .values(
            state="running",
            attempts=RatingBatch.attempts + 1,
            lease_token=RatingBatch.lease_token + 1,
            lease_until=_lease_end(),
        )
        .returning(
            RatingBatch.id, RatingBatch.project_id, RatingBatch.lease_token, RatingBatch.attempts
        )
    ).one_or_none()
    if row is None:
        return None
    session.execute(
        update(Stage).where(Stage.run_id == run_id, Stage.name == "rate").values(sent_at=func.now())
    )
    return BatchLease(row.id, run_id, row.project_id, row.lease_token, row.attempts)


def renew(session: Session, lease: BatchLease) -> None:
    """Push the lease's end out; LeaseLostError when a newer token or an end has come."""
    _fenced(session, lease, {"lease_until": _lease_end()})


def hold(session: Session, lease: BatchLease) -> None:
    """Lock the batch's row for this transaction; LeaseLostError when it is another's by now."""
    query = select(RatingBatch.lease_token).where(
        RatingBatch.id == lease.id, RatingBatch.state == "running"
    )
    if session.scalar(query.with_for_update()) != lease.token:
        raise LeaseLostError(f"batch {lease.id}")


def finish(session: Session, lease: BatchLease) -> None:
    """End the batch as done."""
    _fenced(session, lease, {"state": "done", "lease_until": None})


def bury(session: Session, lease: BatchLease, error: dict[str, Any]) -> None:
    """End a batch that nobody could rate as dead, with its reason."""
    _fenced(session, lease, {"state": "dead", "error": error, "lease_until": None})


def release(session: Session, lease: BatchLease) -> None:
    """Give the batch back unfinished; what was rated stays rated."""
    _fenced(session, lease, {"state": "pending", "lease_until": None})


def give_back(session: Session, lease: BatchLease) -> None:
    """Give the batch back as if it had not been claimed: its worker or the LLM went away."""
    _fenced(
        session,
        lease,
        {"state": "pending", "lease_until": None, "attempts": RatingBatch.attempts - 1},
    )


def cancel(session: Session, lease: BatchLease) -> None:
    """End the batch as cancelled; what was rated stays rated."""
    _fenced(session, lease, {"state": "cancelled", "lease_until": None})


def cancel_pending(session: Session, run_id: UUID) -> int:
    """Cancel a run's batches that nobody holds; return how many are still held."""
    session.execute(
        update(RatingBatch)
        .where(RatingBatch.run_id == run_id, _is_free())
        .values(state="cancelled", lease_until=None)
    )
    return counts(session, run_id).get("running", 0)


def begin_again(session: Session, run_id: UUID) -> None:
    """Let a run's dead and cancelled batches be rated after all, with all their attempts."""
    session.execute(
        update(RatingBatch)
        .where(RatingBatch.run_id == run_id, RatingBatch.state.in_(["dead", "cancelled"]))
        .values(state="pending", attempts=0, error=None, lease_until=None)
    )


def counts(session: Session, run_id: UUID) -> dict[str, int]:
    """Return the run's batches by state."""
    query = select(RatingBatch.state, func.count().label("n")).where(RatingBatch.run_id == run_id)
    return {row.state: row.n for row in session.execute(query.group_by(RatingBatch.state))}


def calls(session: Session, run_id: UUID) -> int:
    """Return how many calls the run's batches come to."""
    query = select(func.coalesce(func.sum(RatingBatch.calls), 0))
    return int(session.scalar(query.where(RatingBatch.run_id == run_id)) or 0)


def first_error(session: Session, run_id: UUID) -> dict[str, Any]:
    """Return the reason of the run's first dead batch; an empty one without any."""
    dead = RatingBatch.run_id == run_id, RatingBatch.state == "dead"
    query = select(RatingBatch.error).where(*dead).order_by(RatingBatch.number).limit(1)
    return session.scalar(query) or {}


def pairs_of(session: Session, lease: BatchLease) -> Sequence[Candidate]:
    """Return the batch's pairs, a user's together."""
    query = select(Candidate).where(
        Candidate.run_id == lease.run_id, Candidate.batch_id == lease.id
    )
    return session.scalars(query.order_by(Candidate.user_id, Candidate.item_id)).all()


def _is_free() -> ColumnElement[bool]:
    abandoned = and_(RatingBatch.state == "running", RatingBatch.lease_until < func.now())
    return or_(RatingBatch.state == "pending", abandoned)


def _free(session: Session, run_id: UUID) -> int:
    query = select(func.count()).where(RatingBatch.run_id == run_id, _is_free())
    return session.scalar(query) or 0


def _lease_end() -> Any:  # noqa: ANN401 (a SQL expression)
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, settings().lease_seconds)


def _fenced(session: Session, lease: BatchLease, values: dict[str, Any]) -> None:
    changed = session.execute(
        update(RatingBatch)
        .where(
            RatingBatch.id == lease.id,
            RatingBatch.state == "running",
            RatingBatch.lease_token == lease.token,
        )
        .values(**values)
        .returning(RatingBatch.id)
    ).one_or_none()
    if changed is None:
        raise LeaseLostError(f"batch {lease.id}")
