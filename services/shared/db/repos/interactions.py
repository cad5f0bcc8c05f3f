"""Interactions that arrive a thousand at a time: looked up before they are added, and listed."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, tuple_
from sqlalchemy.orm import Session

from services.shared.db.tables import Interaction

Key = tuple[str, str, str | None, datetime | None]
"""User, item, type, timestamp: what makes two events without an event_id the same."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One interaction as it was sent."""

    user_id: str
    item_id: str
    type: str | None = None
    value: float | None = None
    timestamp: datetime | None = None
    event_id: str | None = None
    text: str | None = None
    position: int | None = None
    split: str | None = None
    recommendation_id: str | None = None

    @property
    def key(self) -> Key:
        """Return what makes it the same as another without an event_id."""
        return self.user_id, self.item_id, self.type, self.timestamp


def known_events(session: Session, dataset_id: UUID, ids: Collection[str]) -> frozenset[str]:
    """Return those event ids that the log holds."""
    query = select(Interaction.event_id).where(
        Interaction.dataset_id == dataset_id, Interaction.event_id.in_(ids)
    )
    return frozenset(ident for ident in session.scalars(query) if ident is not None)


def known_keys(
    session: Session, dataset_id: UUID, pairs: Collection[tuple[str, str]]
) -> frozenset[Key]:
    """Return the keys of all events of these (user, item) pairs."""
    query = select(
        Interaction.user_id, Interaction.item_id, Interaction.type, Interaction.timestamp
    ).where(
        Interaction.dataset_id == dataset_id,
        tuple_(Interaction.user_id, Interaction.item_id).in_(pairs),
    )
    return frozenset((r.user_id, r.item_id, r.type, r.timestamp) for r in session.execute(query))


def add(session: Session, *, project_id: UUID, dataset_id: UUID, events: Sequence[Event]) -> None:
    """Append the events in their order."""
    if events:
        scope = {"project_id": project_id, "dataset_id": dataset_id}
        session.execute(insert(Interaction), [{**scope, **asdict(event)} for event in events])


def page(
    session: Session,
    dataset_id: UUID,
    *,
    size: int,
    after: int | None,
    user_id: str | None = None,
    item_id: str | None = None,
) -> list[Interaction]:
    """Return up to size + 1 events in the order of their arrival."""
    query = select(Interaction).where(Interaction.dataset_id == dataset_id)
    if user_id is not None:
        query = query.where(Interaction.user_id == user_id)
    if item_id is not None:
        query = query.where(Interaction.item_id == item_id)
    if after is not None:
        query = query.where(Interaction.seq > after)
    return list(session.scalars(query.order_by(Interaction.seq).limit(size + 1)))
