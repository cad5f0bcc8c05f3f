"""Rating batches: at most a minute of work each, claimed with a lease."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from services.shared.db.tables import RatingBatch


def cancel_pending(session: Session, run_id: UUID) -> int:
    """Cancel a run's batches that nobody holds; return how many are still held."""
    session.execute(
        update(RatingBatch)
        .where(RatingBatch.run_id == run_id, RatingBatch.state == "pending")
        .values(state="cancelled")
    )
    held = select(func.count()).where(RatingBatch.run_id == run_id, RatingBatch.state == "running")
    return session.scalar(held) or 0
