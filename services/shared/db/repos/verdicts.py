"""Verdicts of a run: what was made of each pair and what was done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Row, delete, select, text
from sqlalchemy.orm import Session

from services.shared.db.tables import Verdict

_CHUNK = 10_000
_INSERT = text("""
    INSERT INTO verdicts
        (run_id, project_id, user_id, item_id, edge, verdict, action, decided_by, score, note)
    SELECT :run_id, :project_id, rows.*
    FROM unnest(CAST(:user_id AS text[]), CAST(:item_id AS text[]), CAST(:edge AS bool[]),
                CAST(:verdict AS text[]), CAST(:action AS text[]), CAST(:decided_by AS text[]),
                CAST(:score AS float8[]), CAST(:note AS text[])) AS rows
""")
_COLUMNS = (
    "user_id",
    "item_id",
    "edge",
    "verdict",
    "action",
    "decided_by",
    "score",
    "note",
)


@dataclass(frozen=True, kw_only=True)
class NewVerdict:
    """One pair; `note` says why an action was not taken."""

    user_id: str
    item_id: str
    edge: bool
    verdict: str
    action: str
    decided_by: str
    score: float | None  # None where a person spoke of a pair that was no candidate
    note: str | None


def replace(
    session: Session, rows: Sequence[NewVerdict], *, run_id: UUID, project_id: UUID
) -> None:
    """Put these in the place of whatever verdicts the run had."""
    session.execute(delete(Verdict).where(Verdict.run_id == run_id))
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        values = {name: [getattr(row, name) for row in chunk] for name in _COLUMNS}
        session.execute(_INSERT, {**values, "run_id": run_id, "project_id": project_id})


def of_run(session: Session, run_id: UUID) -> Sequence[Row[str, str, bool, str]]:
    """Return user_id, item_id, edge and verdict of every pair, in the byte order of the ids."""
    query = select(Verdict.user_id, Verdict.item_id, Verdict.edge, Verdict.verdict)
    ordered = query.where(Verdict.run_id == run_id).order_by(Verdict.user_id, Verdict.item_id)
    return session.execute(ordered).all()
