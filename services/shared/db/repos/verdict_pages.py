"""Verdicts with the ratings behind them: pages, counts, extremes and histograms of one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, case, false, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from services.shared.db.tables import Candidate, Override, Rating, RunRating, Verdict

Pair = tuple[str, str]


@dataclass(frozen=True)
class Said:
    """One view's word on a pair."""

    label: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which verdicts; None asks for all."""

    verdict: str | None = None
    user_id: str | None = None
    item_id: str | None = None
    source: str | None = None  # rule or person
    action: str | None = None  # what the run did: asks for pairs that it decided


def page(
    session: Session, run_id: UUID, wanted: Filter, *, size: int, after: Pair | None
) -> list[Pair]:
    """Return up to size + 1 pairs that the run decided, by the bytes of user and item id."""
    return _cut(session, _decided(run_id, wanted), size=size, after=after)


def page_of_people(
    session: Session,
    dataset_id: UUID,
    run_id: UUID | None,
    wanted: Filter,
    *,
    size: int,
    after: Pair | None,
) -> list[Pair]:
    """Return up to size + 1 pairs of which people speak now, or spoke when the run obeyed them."""
    spoken = select(Override.user_id, Override.item_id).where(Override.dataset_id == dataset_id)
    spoken = _narrowed(spoken, Override, wanted)
    if wanted.action is not None:
        spoken = spoken.where(false())  # of a word alone no run has done anything
    if run_id is not None:
        both = spoken.union(_decided(run_id, wanted)).subquery()
        spoken = select(both.c.user_id, both.c.item_id)
    return _cut(session, spoken, size=size, after=after)


def of_pairs(session: Session, run_id: UUID, pairs: Sequence[Pair]) -> dict[Pair, Verdict]:
    """Return what the run made of those of `pairs` that it decided."""
    query = select(Verdict).where(
        Verdict.run_id == run_id, tuple_(Verdict.user_id, Verdict.item_id).in_(pairs)
    )
    return {(row.user_id, row.item_id): row for row in session.scalars(query)}


def _decided(run_id: UUID, wanted: Filter) -> Select[str, str]:
    query = select(Verdict.user_id, Verdict.item_id).where(Verdict.run_id == run_id)
    if wanted.source is not None:
        query = query.where(Verdict.decided_by == wanted.source)
    if wanted.action is not None:
        query = query.where(Verdict.action == wanted.action)
    return _narrowed(query, Verdict, wanted)


def _narrowed(
    query: Select[str, str], table: type[Verdict] | type[Override], wanted: Filter
) -> Select[str, str]:
    if wanted.verdict is not None:
        query = query.where(table.verdict == wanted.verdict)
    if wanted.user_id is not None:
        query = query.where(table.user_id == wanted.user_id)
    if wanted.item_id is not None:
        query = query.where(table.item_id == wanted.item_id)
    return query


def _cut(session: Session, pairs: Select[str, str], *, size: int, after: Pair | None) -> list[Pair]:
    user_id, item_id = pairs.selected_columns
    if after is not None:
        pairs = pairs.where(tuple_(user_id, item_id) > after)
    ordered = pairs.order_by(user_id, item_id).limit(size + 1)
    return [(row[0], row[1]) for row in session.execute(ordered)]


def said(
    session: Session, run_id: UUID, pairs: Sequence[Pair]
) -> Mapping[Pair, Mapping[str, Said]]:
    """Return each pair's ratings by view, as this run used them."""
    query = (
        select(RunRating.user_id, RunRating.item_id, RunRating.view, Rating.label, Rating.reason)
        .join(Rating, Rating.id == RunRating.rating_id)
        .where(RunRating.run_id == run_id, tuple_(RunRating.user_id, RunRating.item_id).in_(pairs))
    )
    found: dict[Pair, dict[str, Said]] = {}
    for row in session.execute(query):
        found.setdefault((row.user_id, row.item_id), {})[row.view] = Said(row.label, row.reason)
    return found


def extremes(session: Session, run_id: UUID, verdict: str, *, count: int) -> list[Verdict]:
    """Return the edges with this verdict that the graph itself believes least, worst first."""
    query = select(Verdict).where(
        Verdict.run_id == run_id, Verdict.verdict == verdict, Verdict.edge.is_(True)
    )
    # what was not suspected has no score, and no place among the extremes
    scored = query.where(Verdict.score.is_not(None))
    ordered = scored.order_by(Verdict.score, Verdict.user_id, Verdict.item_id).limit(count)
    return list(session.scalars(ordered))


@dataclass(frozen=True)
class Tally:
    """How many pairs of one kind; `note` says why an action was not done."""

    verdict: str
    action: str
    edge: bool
    decided_by: str
    note: str | None
    count: int


def tallies(session: Session, run_id: UUID) -> list[Tally]:
    """Return how many verdicts of the run there are of each kind."""
    kinds = Verdict.verdict, Verdict.action, Verdict.edge, Verdict.decided_by, Verdict.note
    query = select(*kinds, func.count()).where(Verdict.run_id == run_id).group_by(*kinds)
    return [Tally(*row) for row in session.execute(query)]


def candidates(session: Session, run_id: UUID) -> int:
    """Return how many pairs the run suspected."""
    query = select(func.count()).select_from(Candidate).where(Candidate.run_id == run_id)
    return session.scalar(query) or 0


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Pairs with an answer in either view, in both, and in both the same."""

    rated: int
    both: int
    same: int


def agreement(session: Session, run_id: UUID) -> Agreement:
    """Return how far the two views agree; an unparsed reply is no answer."""
    rating = aliased(Rating)
    labels = (
        select(
            func.count().label("views"),
            func.count(func.distinct(rating.label)).label("labels"),
        )
        .select_from(RunRating)
        .join(rating, rating.id == RunRating.rating_id)
        .where(RunRating.run_id == run_id, rating.label != "unparsed")
        .group_by(RunRating.user_id, RunRating.item_id)
        .subquery()
    )
    both = labels.c.views == 2
    row = session.execute(
        select(
            func.count(),
            func.count(case((both, 1))),
            func.count(case((both & (labels.c.labels == 1), 1))),
        )
    ).one()
    return Agreement(rated=row[0], both=row[1], same=row[2])


def score_range(session: Session, run_id: UUID) -> tuple[float, float] | None:
    """Return the lowest and highest score of the run's verdicts; None without any."""
    extent = select(func.min(Verdict.score), func.max(Verdict.score))
    low, high = session.execute(extent.where(Verdict.run_id == run_id)).one()
    return None if low is None or high is None else (low, high)


def score_counts(
    session: Session, run_id: UUID, *, low: float, high: float, bins: int
) -> dict[str, list[int]]:
    """Return by verdict how many scores fall in each of `bins` equal parts of [low, high]."""
    part = func.least(func.width_bucket(Verdict.score, low, high, bins), bins)
    query = select(Verdict.verdict, part, func.count()).where(
        Verdict.run_id == run_id, Verdict.score.is_not(None)
    )
    found: dict[str, list[int]] = {}
    for verdict, number, count in session.execute(query.group_by(Verdict.verdict, part)):
        found.setdefault(verdict, [0] * bins)[number - 1] = count
    return found
