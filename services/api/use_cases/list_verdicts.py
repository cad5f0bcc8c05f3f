"""Verdicts with what both views said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.db.repos import listings, runs, verdict_pages
from services.shared.db.repos.verdict_pages import Filter, Pair, Said
from services.shared.db.tables import Dataset, Run, Verdict
from services.shared.errors import NotFoundError

VIEWS = ("user", "item")


@dataclass(frozen=True, kw_only=True)
class VerdictView:
    """A verdict and the ratings behind it, by view; None where a view has none."""

    run_id: UUID
    user_id: str
    item_id: str
    edge: bool
    verdict: str
    decided_by: str
    action: str
    score: float
    ratings: Mapping[str, Said | None]


def run_of(session: Session, dataset: Dataset, run_id: UUID | None) -> Run:
    """Return the dataset's run, by default the newest that succeeded; else NotFoundError."""
    if run_id is None:
        run_id = listings.newest_succeeded(session, dataset.id)
        if run_id is None:
            raise NotFoundError("finished run of dataset", dataset.id)
    run = runs.get(session, run_id)
    if run.dataset_id != dataset.id:
        raise NotFoundError("run", run_id)
    return run


def list_verdicts(
    session: Session, run: Run, wanted: Filter, *, size: int, after: Pair | None
) -> list[VerdictView]:
    """Return up to size + 1 verdicts of the run."""
    return with_ratings(
        session, verdict_pages.page(session, run.id, wanted, size=size, after=after)
    )


def with_ratings(session: Session, verdicts: Sequence[Verdict]) -> list[VerdictView]:
    """Return the views of verdicts of one run, in their order."""
    if not verdicts:
        return []
    pairs = [(verdict.user_id, verdict.item_id) for verdict in verdicts]
    said = verdict_pages.said(session, verdicts[0].run_id, pairs)
    return [
        _view(verdict, said.get(pair, {})) for verdict, pair in zip(verdicts, pairs, strict=True)
    ]


def _view(verdict: Verdict, said: Mapping[str, Said]) -> VerdictView:
    return VerdictView(
        run_id=verdict.run_id,
        user_id=verdict.user_id,
        item_id=verdict.item_id,
        edge=verdict.edge,
        verdict=verdict.verdict,
        decided_by=verdict.decided_by,
        action=verdict.action,
        score=verdict.score,
        ratings={view: said.get(view) for view in VIEWS},
    )
