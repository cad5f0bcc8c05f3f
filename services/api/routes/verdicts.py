"""Verdicts and the noise report of a run; people's words, which overrule them."""

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import ValidationError

from services.api.deps import ActOnce, LiveDataset, PathId, QueryId, Reader, Unit, Who, Writer
from services.api.errors import faults_of
from services.api.paging import Paged, cut, place
from services.api.schemas.interactions import RowFault
from services.api.schemas.verdicts import (
    MAX_NOTE,
    NewVerdict,
    NewVerdictRow,
    NewVerdicts,
    NoiseReport,
    Overruled,
    PairAnswer,
    Verdict,
    VerdictAnswer,
    Verdicts,
)
from services.api.strict import StrictRoute
from services.api.use_cases.describe_pair import describe_pair
from services.api.use_cases.list_verdicts import list_verdicts as find
from services.api.use_cases.list_verdicts import run_of
from services.api.use_cases.overrule import set_word, set_words, withdraw_word
from services.api.use_cases.put_profiles import BULK_ROWS
from services.api.use_cases.report_noise import report_noise as report
from services.shared.db.repos.overrides import Word
from services.shared.db.repos.verdict_pages import Filter
from services.shared.errors import Fault, TooLargeError

router = APIRouter(prefix="/v1/datasets/{dataset}", tags=["verdicts"], route_class=StrictRoute)
RunId = Annotated[UUID | None, Query(description="by default the newest that succeeded")]
Note = Annotated[
    str | None,
    Query(min_length=1, max_length=MAX_NOTE, pattern=r"^[^\x00]+$", description="why"),
]
Author = Annotated[
    str | None,
    Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", description="who says so"),
]
Source = Annotated[
    Literal["rule", "person"] | None,
    Query(description="who decided; `person` lists words that no run has obeyed yet as well"),
]
Did = Annotated[
    Literal["keep", "drop", "add", "none"] | None, Query(description="what the run did to the pair")
]


def get_filter(
    verdict: Verdict | None = None,
    user_id: QueryId = None,
    item_id: QueryId = None,
    source: Source = None,
    action: Did = None,
) -> Filter:
    """Return which verdicts are meant."""
    return Filter(verdict=verdict, user_id=user_id, item_id=item_id, source=source, action=action)


@router.get("/verdicts")
def list_verdicts(
    _project: Reader,
    session: Unit,
    dataset: LiveDataset,
    page: Paged,
    wanted: Annotated[Filter, Depends(get_filter)],
    run: RunId = None,
) -> Verdicts:
    """List the run's verdicts with what both views and people said, by user and item id."""
    after = place(page, str, str)
    rows = find(session, dataset, run, wanted, size=page.size, after=after)
    return Verdicts(
        verdicts=[VerdictAnswer.model_validate(row) for row in rows[: page.size]],
        next_page_token=cut(rows, page, lambda row: (row.user_id, row.item_id)),
    )


@router.get("/verdicts/{user_id}/{item_id}")
def get_verdict(
    user_id: PathId, item_id: PathId, _project: Reader, session: Unit, dataset: LiveDataset
) -> PairAnswer:
    """Return what the newest run made of a pair, what people say of it, and what they said."""
    return PairAnswer.model_validate(describe_pair(session, dataset, (user_id, item_id)))


@router.put("/verdicts/{user_id}/{item_id}")
def set_verdict(
    user_id: PathId,
    item_id: PathId,
    body: NewVerdict,
    _project: Writer,
    who: Who,
    session: Unit,
    dataset: LiveDataset,
) -> PairAnswer:
    """Overrule: a person's word on any pair wins over ratings and caps from the next run on."""
    word = Word(
        user_id=user_id,
        item_id=item_id,
        verdict=body.verdict,
        note=body.note,
        author=body.author,
    )
    set_word(session, dataset.id, word, actor=who)
    return PairAnswer.model_validate(describe_pair(session, dataset, word.pair))


@router.delete("/verdicts/{user_id}/{item_id}", status_code=204)
def withdraw_verdict(
    user_id: PathId,
    item_id: PathId,
    _project: Writer,
    who: Who,
    session: Unit,
    dataset: LiveDataset,
    note: Note = None,
    author: Author = None,
) -> None:
    """Take a person's word back; its history stays, and the next run decides by rule again."""
    pair = user_id, item_id
    withdraw_word(session, dataset.id, pair, note=note, actor=who.by(author))


@router.post("/verdicts:batch", response_model=Overruled, responses={207: {"model": Overruled}})
def set_verdicts(
    body: NewVerdicts, once: ActOnce, who: Who, session: Unit, dataset: LiveDataset
) -> Response:
    """Overrule up to 1,000 pairs: 200 when every row was taken, 207 when some were wrong."""
    if len(body.verdicts) > BULK_ROWS:
        raise TooLargeError(f"{len(body.verdicts):,} rows came and {BULK_ROWS:,} are the limit.")
    rows, faults = _read(body.verdicts)
    outcome = set_words(session, dataset.id, rows, actor=who)
    faults += [_within_body(fault) for fault in outcome.rejected]
    answer = Overruled(
        received=len(body.verdicts),
        changed=outcome.changed,
        rejected=len(faults),
        errors=[
            RowFault.model_validate(fault)
            for fault in sorted(faults, key=lambda fault: fault.index or 0)
        ],
        version=outcome.version,
    )
    return once.answer(207 if faults else 200, answer)


def _read(given: list[object]) -> tuple[list[tuple[int, Word]], list[Fault]]:
    """Return the rows that can be read with their places, and what is wrong with the others."""
    rows: list[tuple[int, Word]] = []
    faults: list[Fault] = []
    for index, row in enumerate(given):
        try:
            rows.append((index, Word(**NewVerdictRow.model_validate(row).model_dump())))
        except ValidationError as error:
            first = faults_of(error.errors(), index=index, model=NewVerdictRow)[0]
            pointer = f"/verdicts/{index}{first.pointer or ''}"
            faults.append(replace(first, pointer=pointer))
    return rows, faults


def _within_body(fault: Fault) -> Fault:
    pointer = (fault.pointer or "").removeprefix("/path")
    return replace(fault, pointer=f"/verdicts/{fault.index}{pointer}")


@router.get("/noise-report")
def report_noise(
    _project: Reader, session: Unit, dataset: LiveDataset, run: RunId = None
) -> NoiseReport:
    """Return what the run found: totals, agreement of the views, examples, histograms."""
    return NoiseReport.model_validate(report(session, run_of(session, dataset, run)))
