"""Say all that is known of one pair: the newest run's verdict, and what people said and when."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.api.use_cases.list_verdicts import SpokenView, VerdictView, of_pairs, spoken_view
from services.shared.db.repos import interactions, listings, overrides
from services.shared.db.repos.overrides import Pair
from services.shared.db.tables import Dataset
from services.shared.errors import NotFoundError

CHANGES = 100
"""Most changes that are told; nobody reads more, and a robot may make thousands."""


@dataclass(frozen=True, kw_only=True)
class PairView:
    """A pair as it stands."""

    user_id: str
    item_id: str
    in_log: bool
    pending: bool
    run: VerdictView | None
    person: SpokenView | None
    history: Sequence[SpokenView]


def describe_pair(session: Session, dataset: Dataset, pair: Pair) -> PairView:
    """Return the pair's view; NotFoundError when no run decided it and nobody ever spoke of it."""
    newest = listings.newest_succeeded(session, dataset.id)
    views = of_pairs(session, dataset.id, newest, [pair])
    obeyed = overrides.obeyed_version(session, dataset.id)
    changes = overrides.history(session, dataset.id, pair, most=CHANGES)
    if not views and not changes:
        raise NotFoundError("verdict on the pair", ", ".join(pair))
    history = [spoken_view(change, obeyed) for change in changes]
    view = views[0] if views else None
    return PairView(
        user_id=pair[0],
        item_id=pair[1],
        in_log=bool(interactions.known_keys(session, dataset.id, [pair])),
        pending=bool(history) and history[0].pending,
        run=None if view is None or view.run_id is None else view,
        person=None if view is None else view.person,
        history=history,
    )
