"""What users took, as the scorer folds it in: positive pairs, the latest first."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.shared.db.repos.extents import holding
from services.shared.db.tables import Interaction
from services.shared.expression import Comparison


@dataclass
class History:
    """A user's positive items, the latest to arrive first, and when that was."""

    items: list[str] = field(default_factory=list)
    latest: datetime | None = None


def of_users(
    session: Session,
    dataset_id: UUID,
    user_ids: Collection[str],
    positive: Sequence[Comparison] = (),
) -> dict[str, History]:
    """Return the histories of those of `user_ids` that have one."""
    arrived = func.max(Interaction.received_at)
    query = (
        select(Interaction.user_id, Interaction.item_id, arrived.label("arrived"))
        .where(
            Interaction.dataset_id == dataset_id,
            Interaction.user_id.in_(user_ids),
            *holding(positive),
        )
        .group_by(Interaction.user_id, Interaction.item_id)
        .order_by(Interaction.user_id, arrived.desc(), Interaction.item_id)
    )
    found: dict[str, History] = {}
    for row in session.execute(query):
        history = found.setdefault(row.user_id, History(latest=row.arrived))
        history.items.append(row.item_id)
    return found
