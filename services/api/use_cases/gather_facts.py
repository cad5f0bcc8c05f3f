"""Gather what there is to be known of a dataset before a run; reads all of it, writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.api.use_cases.check_extent import TIMED
from services.api.use_cases.foresee import Foreseen, foresee, shortfalls
from services.api.use_cases.read_texts import Side, read_texts
from services.api.use_cases.spread_of import share_of_top
from services.shared import expression
from services.shared.db.repos import extents, logs, surveys
from services.shared.db.repos.logs import Events, Repeats
from services.shared.db.repos.surveys import Survey
from services.shared.db.tables import Dataset
from services.shared.errors import Fault
from services.shared.expression import Comparison
from services.shared.specs import DatasetSettings

HEAVY_USERS = 0.01
"""Of the users: what the heaviest of them hold is told."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a report shows and warnings are drawn from; `missing`: what stands before a run."""

    settings: DatasetSettings
    positive: Sequence[Comparison]
    events: Events
    repeats: Repeats
    survey: Survey
    foreseen: Foreseen
    missing: Sequence[Fault]
    heavy_share: float | None
    texts: Mapping[str, Side]


def gather_facts(session: Session, dataset: Dataset) -> Facts:
    """Return the facts; run it `surveys.within` a time, since a log may have any length."""
    wishes = DatasetSettings.read(dataset.settings)
    positive = expression.parse(wishes.positive) if wishes.positive else ()
    survey = surveys.survey(session, dataset.id, wishes)
    foreseen = foresee(survey, wishes.split)
    missing = shortfalls(foreseen)
    if wishes.split.kind in TIMED:
        undated = extents.undated_pairs(session, dataset.id, positive)
        if undated:
            detail = f"The split {wishes.split.kind} reads times, and {undated} pairs have none."
            missing = [Fault(code="SPLIT_IMPOSSIBLE", detail=detail), *missing]
    return Facts(
        settings=wishes,
        positive=positive,
        events=logs.events(session, dataset.id, positive),
        repeats=logs.repeats(session, dataset.id),
        survey=survey,
        foreseen=foreseen,
        missing=missing,
        heavy_share=share_of_top(survey.users, HEAVY_USERS),
        texts=read_texts(session, dataset.id),
    )
