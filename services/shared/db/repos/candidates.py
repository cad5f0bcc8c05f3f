"""Candidates of a run: written whole by its stage, read back with what was said of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Row, Subquery, delete, func, select, text
from sqlalchemy.orm import Session

from services.shared.db.tables import Candidate, Rating, RunRating

_CHUNK = 10_000
# arrays of arrays must be rectangular in Postgres, so a shelf travels as JSON
_INSERT = text("""
    INSERT INTO candidates (run_id, project_id, user_id, item_id, edge, score, history)
    SELECT :run_id, :project_id, u, i, e, s,
           ARRAY(SELECT jsonb_array_elements_text(h))
    FROM unnest(CAST(:users AS text[]), CAST(:items AS text[]), CAST(:edges AS bool[]),
                CAST(:scores AS float8[]), CAST(:histories AS jsonb[])) AS rows(u, i, e, s, h)
""")


@dataclass(frozen=True, kw_only=True)
class NewCandidate:
    """A suspicious pair; `history` is the JSON array of the item view's shelf."""

    user_id: str
    item_id: str
    edge: bool
    score: float
    history: str


def replace(
    session: Session, rows: Sequence[NewCandidate], *, run_id: UUID, project_id: UUID
) -> None:
    """Put these in the place of whatever candidates the run had."""
    session.execute(delete(Candidate).where(Candidate.run_id == run_id))
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        values = {
            "users": [row.user_id for row in chunk],
            "items": [row.item_id for row in chunk],
            "edges": [row.edge for row in chunk],
            "scores": [row.score for row in chunk],
            "histories": [row.history for row in chunk],
        }
        session.execute(_INSERT, {**values, "run_id": run_id, "project_id": project_id})


def rated(session: Session, run_id: UUID) -> Sequence[Row[str, str, float, str | None, str | None]]:
    """Return user_id, item_id, score, user_label, item_label; a label is null until rated.

    Rows come in the byte order of their ids, so that whoever reads them draws the same.
    """
    user, item = _labels(run_id, "user"), _labels(run_id, "item")
    query = (
        select(
            Candidate.user_id,
            Candidate.item_id,
            Candidate.score,
            user.c.label.label("user_label"),
            item.c.label.label("item_label"),
        )
        .outerjoin(
            user, (user.c.user_id == Candidate.user_id) & (user.c.item_id == Candidate.item_id)
        )
        .outerjoin(
            item, (item.c.user_id == Candidate.user_id) & (item.c.item_id == Candidate.item_id)
        )
        .where(Candidate.run_id == run_id)
        .order_by(Candidate.user_id, Candidate.item_id)
    )
    return session.execute(query).all()


def rating_counts(session: Session, run_id: UUID) -> dict[str, int]:
    """Return how many ratings the run uses, and how many of them came from the cache."""
    query = select(func.count(), func.count().filter(RunRating.cached))
    row = session.execute(query.where(RunRating.run_id == run_id)).one()
    return {"rated": row[0], "cached": row[1]}


def _labels(run_id: UUID, view: str) -> Subquery:
    return (
        select(RunRating.user_id, RunRating.item_id, Rating.label)
        .join(Rating, Rating.id == RunRating.rating_id)
        .where(RunRating.run_id == run_id, RunRating.view == view)
        .subquery()
    )
