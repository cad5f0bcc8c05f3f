"""Verdicts with the ratings behind them: pages, counts, extremes and histograms of one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import case, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from services.shared.db.tables import Candidate, Rating, RunRating, Verdict

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


def page(
    session: Session, run_id: UUID, wanted: Filter, *, size: int, after: Pair | None
) -> list[Verdict]:
    """Return up to size + 1 verdicts by the bytes of user and item id."""
    query = select(Verdict).where(Verdict.run_id == run_id)
    if wanted.verdict is not None:
        query = query.where(Verdict.verdict == wanted.verdict)
    if wanted.user_id is not None:
        query = query.where(Verdict.user_id == wanted.user_id)
    if wanted.item_id is not None:
        query = query.where(Verdict.item_id == wanted.item_id)
    if after is not None:
        query = query.where(tuple_(Verdict.user_id, Verdict.item_id) > after)
    return list(session.scalars(query.order_by(Verdict.user_id, Verdict.item_id).limit(size + 1)))


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
    ordered = query.order_by(Verdict.score, Verdict.user_id, Verdict.item_id).limit(count)
    return list(session.scalars(ordered))


def counts(session: Session, run_id: UUID) -> dict[tuple[str, str, bool], int]:
    """Return how many verdicts there are by (verdict, action, edge)."""
    query = select(Verdict.verdict, Verdict.action, Verdict.edge, func.count()).where(
        Verdict.run_id == run_id
    )
    grouped = query.group_by(Verdict.verdict, Verdict.action, Verdict.edge)
    return {(verdict, action, edge): n for verdict, action, edge, n in session.execute(grouped)}


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
    extent = select(func.count(), func.min(Verdict.score), func.max(Verdict.score))
    count, low, high = session.execute(extent.where(Verdict.run_id == run_id)).one()
    return (low, high) if count else None


def score_counts(
    session: Session, run_id: UUID, *, low: float, high: float, bins: int
) -> dict[str, list[int]]:
    """Return by verdict how many scores fall in each of `bins` equal parts of [low, high]."""
    part = func.least(func.width_bucket(Verdict.score, low, high, bins), bins)
    query = select(Verdict.verdict, part, func.count()).where(Verdict.run_id == run_id)
    found: dict[str, list[int]] = {}
    for verdict, number, count in session.execute(query.group_by(Verdict.verdict, part)):
        found.setdefault(verdict, [0] * bins)[number - 1] = count
    return found
