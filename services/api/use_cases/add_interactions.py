"""Add up to a thousand events, each once."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.clock import utc_now
from services.shared.db.repos import datasets, interactions, profiles
from services.shared.db.repos.interactions import Event
from services.shared.db.tables import Dataset, Item, User
from services.shared.errors import Fault
from services.shared.specs import DatasetSettings

Row = tuple[int, Event]
"""An event and its place in the request."""


@dataclass(frozen=True)
class Outcome:
    """What became of the rows."""

    accepted: int
    duplicates: int
    rejected: Sequence[Fault]
    future: Sequence[int] = ()  # places of accepted rows that lie in the future


def add_interactions(session: Session, dataset_id: UUID, rows: Sequence[Row]) -> Outcome:
    """Add the events that are new: by event_id, else by user, item, type and timestamp."""
    dataset = datasets.lock(session, dataset_id)  # so that two requests see each other's events
    rejected = _unknown_ids(session, dataset, rows)
    refused = {fault.index for fault in rejected}
    known = [(index, event) for index, event in rows if index not in refused]
    new = _new(session, dataset_id, known)
    events = [event for _, event in new]
    interactions.add(session, project_id=dataset.project_id, dataset_id=dataset_id, events=events)
    if new:
        dataset.version += 1
        session.flush()
    return Outcome(len(new), len(known) - len(new), rejected, _future(new))


def _future(rows: Sequence[Row]) -> list[int]:
    now = utc_now()
    return [index for index, event in rows if event.timestamp is not None and event.timestamp > now]


def _new(session: Session, dataset_id: UUID, rows: Sequence[Row]) -> list[Row]:
    named = {event.event_id for _, event in rows if event.event_id is not None}
    pairs = {(event.user_id, event.item_id) for _, event in rows if event.event_id is None}
    seen: set[object] = set()
    if named:
        seen |= interactions.known_events(session, dataset_id, named)
    if pairs:
        seen |= interactions.known_keys(session, dataset_id, pairs)
    new = []
    for index, event in rows:
        mark: object = event.key if event.event_id is None else event.event_id
        if mark not in seen:
            seen.add(mark)
            new.append((index, event))
    return new


def _unknown_ids(session: Session, dataset: Dataset, rows: Sequence[Row]) -> list[Fault]:
    if not DatasetSettings.read(dataset.settings).require_known_ids or not rows:
        return []
    users = profiles.known(session, User, dataset.id, {event.user_id for _, event in rows})
    items = profiles.known(session, Item, dataset.id, {event.item_id for _, event in rows})
    faults = []
    for index, event in rows:
        for noun, ident, known in (("user", event.user_id, users), ("item", event.item_id, items)):
            if ident not in known:
                faults.append(
                    Fault(
                        code="UNKNOWN_ID",
                        detail=f"There is no {noun} {ident!r}.",
                        pointer=f"/interactions/{index}/{noun}_id",
                        index=index,
                    )
                )
                break
    return faults
