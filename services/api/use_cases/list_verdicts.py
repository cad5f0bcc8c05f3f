"""Verdicts with what both views said, and with what people say of the pair now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.db.repos import listings, overrides, runs, verdict_pages
from services.shared.db.repos.verdict_pages import Filter, Pair, Said
from services.shared.db.tables import Dataset, Override, OverrideChange, Run, Verdict
from services.shared.errors import NotFoundError

VIEWS = ("user", "item")


@dataclass(frozen=True, kw_only=True)
class SpokenView:
    """A person's word, or one change of it: `verdict` None where it was withdrawn."""

    verdict: str | None
    note: str | None
    author: str | None
    key_id: UUID | None
    key_name: str | None
    key_prefix: str | None
    undo_of: UUID | None
    dataset_version: int
    said_at: datetime
    pending: bool


@dataclass(frozen=True, kw_only=True)
class VerdictView:
    """What a run decided, the ratings behind it by view, and the person's word of now.

    Where no run has decided the pair yet, the person's word stands alone.
    """

    run_id: UUID | None
    user_id: str
    item_id: str
    edge: bool | None
    verdict: str
    decided_by: str
    action: str | None
    not_done: str | None
    score: float | None
    ratings: Mapping[str, Said | None]
    person: SpokenView | None


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
    session: Session,
    dataset: Dataset,
    run_id: UUID | None,
    wanted: Filter,
    *,
    size: int,
    after: Pair | None,
) -> list[VerdictView]:
    """Return up to size + 1 verdicts of the run, by default the newest that succeeded.

    With the source `person` and no run named, also what people have said since, or ever where no
    run has succeeded. NotFoundError when there is no such run.
    """
    if wanted.source == "person" and run_id is None:
        newest = listings.newest_succeeded(session, dataset.id)
        pairs = verdict_pages.page_of_people(
            session, dataset.id, newest, wanted, size=size, after=after
        )
        return of_pairs(session, dataset.id, newest, pairs)
    run = run_of(session, dataset, run_id)
    pairs = verdict_pages.page(session, run.id, wanted, size=size, after=after)
    return of_pairs(session, dataset.id, run.id, pairs)


def of_pairs(
    session: Session, dataset_id: UUID, run_id: UUID | None, pairs: Sequence[Pair]
) -> list[VerdictView]:
    """Return the views of those pairs that the run decided or a person speaks of, in order."""
    if not pairs:
        return []
    words = overrides.find(session, dataset_id, pairs)
    obeyed = overrides.obeyed_version(session, dataset_id)
    decided, said = _by_run(session, run_id, pairs)
    views = []
    for pair in pairs:
        word = words.get(pair)
        spoken = None if word is None else spoken_view(word, obeyed)
        row = decided.get(pair)
        if row is not None:
            views.append(_view(row, said.get(pair, {}), spoken))
        elif word is not None:
            views.append(_alone(word, spoken))
    return views


def spoken_view(row: Override | OverrideChange, obeyed: int) -> SpokenView:
    """Return the word; it is pending while no model has learned its version of the dataset."""
    return SpokenView(
        verdict=row.verdict,
        note=row.note,
        author=row.author,
        key_id=row.key_id,
        key_name=row.key_name,
        key_prefix=row.key_prefix,
        undo_of=row.undo_of,
        dataset_version=row.dataset_version,
        said_at=row.created_at,
        pending=row.dataset_version > obeyed,
    )


def _by_run(
    session: Session, run_id: UUID | None, pairs: Sequence[Pair]
) -> tuple[Mapping[Pair, Verdict], Mapping[Pair, Mapping[str, Said]]]:
    if run_id is None:
        return {}, {}
    return (
        verdict_pages.of_pairs(session, run_id, pairs),
        verdict_pages.said(session, run_id, pairs),
    )


def _view(verdict: Verdict, said: Mapping[str, Said], spoken: SpokenView | None) -> VerdictView:
    return VerdictView(
        run_id=verdict.run_id,
        user_id=verdict.user_id,
        item_id=verdict.item_id,
        edge=verdict.edge,
        verdict=verdict.verdict,
        decided_by=verdict.decided_by,
        action=verdict.action,
        not_done=verdict.note,
        score=verdict.score,
        ratings={view: said.get(view) for view in VIEWS},
        person=spoken,
    )


def _alone(word: Override, spoken: SpokenView | None) -> VerdictView:
    return VerdictView(
        run_id=None,
        user_id=word.user_id,
        item_id=word.item_id,
        edge=None,
        verdict=word.verdict,
        decided_by="person",
        action=None,
        not_done=None,
        score=None,
        ratings=dict.fromkeys(VIEWS),
        person=spoken,
    )
