"""How much there is to do and what was spent, over all projects: sums, no id and no name."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, kw_only=True)
class Load:
    """Jobs or stages of one kind in one state; the oldest's age in seconds."""

    what: str  # jobs, stages
    kind: str
    state: str
    n: int
    oldest_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Attempts at calls of one kind, with one model, that ended in one way; ever."""

    kind: str
    model: str
    status: str
    attempts: int
    prompt_tokens: int
    completion_tokens: int


def hurry(session: Session, *, milliseconds: int) -> None:
    """Let no statement of this transaction take longer."""
    session.execute(
        text("SELECT set_config('statement_timeout', :limit, true)"), {"limit": str(milliseconds)}
    )


def load(session: Session) -> list[Load]:
    """Return all jobs by kind and state, and the stages that are ready or running."""
    return [Load(**row) for row in session.execute(text("SELECT * FROM workload()")).mappings()]


def spent(session: Session) -> list[Spent]:
    """Return the sums that triggers keep: the usage itself is never scanned for it."""
    rows = session.execute(text("SELECT * FROM usage_totals()")).mappings()
    return [Spent(**row) for row in rows]
