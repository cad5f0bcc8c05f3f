"""Interactions: added a thousand at a time, listed by page."""

from collections.abc import Sequence

from fastapi import APIRouter, Response
from pydantic import ValidationError

from services.api.deps import ActOnce, LiveDataset, QueryId, Reader, Unit
from services.api.errors import faults_of
from services.api.paging import Paged, cut, number, place
from services.api.schemas.interactions import (
    Added,
    InteractionAnswer,
    Interactions,
    NewInteraction,
    NewInteractions,
    RowFault,
    RowWarning,
)
from services.api.strict import StrictRoute
from services.api.use_cases.add_interactions import Outcome, Row
from services.api.use_cases.add_interactions import add_interactions as add
from services.api.use_cases.put_profiles import BULK_ROWS, check_text
from services.api.use_cases.read_timestamp import read_timestamp
from services.shared.db.repos import interactions
from services.shared.db.repos.interactions import Event
from services.shared.errors import Fault, InvalidError, TooLargeError

router = APIRouter(
    prefix="/v1/datasets/{dataset}/interactions", tags=["interactions"], route_class=StrictRoute
)
SHOWN = 10
"""Places of rows that a warning names."""


@router.post("", response_model=Added, responses={207: {"model": Added}})
def add_interactions(
    body: NewInteractions, once: ActOnce, session: Unit, dataset: LiveDataset
) -> Response:
    """Add up to 1,000 events: 200 when all were taken, 207 when some were duplicates or wrong."""
    if len(body.interactions) > BULK_ROWS:
        raise TooLargeError(
            f"{len(body.interactions):,} rows came and {BULK_ROWS:,} are the limit."
        )
    rows, faults = _read(body.interactions, dataset.settings.get("timezone"))
    outcome = add(session, dataset.id, rows)
    return once.answer(*_answer(outcome, faults))


@router.get("")
def list_interactions(
    _project: Reader,
    session: Unit,
    dataset: LiveDataset,
    page: Paged,
    user_id: QueryId = None,
    item_id: QueryId = None,
) -> Interactions:
    """List events in the order of their arrival."""
    found = place(page, number)
    rows = interactions.page(
        session,
        dataset.id,
        size=page.size,
        after=None if found is None else found[0],
        user_id=user_id,
        item_id=item_id,
    )
    return Interactions(
        interactions=[InteractionAnswer.model_validate(row) for row in rows[: page.size]],
        next_page_token=cut(rows, page, lambda row: (row.seq,)),
    )


def _read(given: list[object], timezone: str | None) -> tuple[list[Row], list[Fault]]:
    """Return the rows that can be read and what is wrong with the others."""
    rows: list[Row] = []
    faults: list[Fault] = []
    for index, row in enumerate(given):
        pointer = f"/interactions/{index}"
        try:
            rows.append((index, _event(NewInteraction.model_validate(row), timezone)))
        except ValidationError as error:
            first = faults_of(error.errors(), index=index, model=NewInteraction)[0]
            faults.append(
                Fault(
                    code=first.code,
                    detail=first.detail,
                    pointer=pointer + (first.pointer or ""),
                    index=index,
                )
            )
        except InvalidError as error:
            faults.append(
                Fault(
                    code=error.code,
                    detail=error.detail,
                    pointer=pointer + (error.pointer or ""),
                    index=index,
                )
            )
    return rows, faults


def _event(row: NewInteraction, timezone: str | None) -> Event:
    check_text(row.text, pointer="/text")
    fields = row.model_dump(exclude={"timestamp"})
    return Event(**fields, timestamp=read_timestamp(row.timestamp, timezone))


def _answer(outcome: Outcome, unreadable: list[Fault]) -> tuple[int, Added]:
    faults = sorted([*unreadable, *outcome.rejected], key=lambda fault: fault.index or 0)
    body = Added(
        accepted=outcome.accepted,
        duplicates=outcome.duplicates,
        rejected=len(faults),
        warnings=_warnings(outcome.future),
        errors=[RowFault.model_validate(fault) for fault in faults],
    )
    return (207 if faults or outcome.duplicates else 200), body


def _warnings(future: Sequence[int]) -> list[RowWarning]:
    """Return what an import says of the same rows, with the places of the first."""
    if not future:
        return []
    return [
        RowWarning(
            code="FUTURE_TIMESTAMP",
            detail="Accepted, but their timestamp lies in the future.",
            rows=len(future),
            indexes=list(future[:SHOWN]),
        )
    ]
