"""Verdicts and the noise report of a run."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from services.api.deps import LiveDataset, QueryId, Reader, Unit
from services.api.paging import Paged, cut, place
from services.api.schemas.verdicts import NoiseReport, VerdictAnswer, Verdicts
from services.api.strict import StrictRoute
from services.api.use_cases.list_verdicts import list_verdicts as find
from services.api.use_cases.list_verdicts import run_of
from services.api.use_cases.report_noise import report_noise as report
from services.shared.db.repos.verdict_pages import Filter

router = APIRouter(prefix="/v1/datasets/{dataset}", tags=["verdicts"], route_class=StrictRoute)
RunId = Annotated[UUID | None, Query(description="by default the newest that succeeded")]


@router.get("/verdicts")
def list_verdicts(
    _project: Reader,
    session: Unit,
    dataset: LiveDataset,
    page: Paged,
    run: RunId = None,
    verdict: Literal["hard", "noise", "clean", "unsure"] | None = None,
    user_id: QueryId = None,
    item_id: QueryId = None,
) -> Verdicts:
    """List the run's verdicts with what both views said, by user and item id."""
    wanted = Filter(verdict=verdict, user_id=user_id, item_id=item_id)
    found = run_of(session, dataset, run)
    rows = find(session, found, wanted, size=page.size, after=place(page, str, str))
    return Verdicts(
        verdicts=[VerdictAnswer.model_validate(row) for row in rows[: page.size]],
        next_page_token=cut(rows, page, lambda row: (row.user_id, row.item_id)),
    )


@router.get("/noise-report")
def report_noise(
    _project: Reader, session: Unit, dataset: LiveDataset, run: RunId = None
) -> NoiseReport:
    """Return what the run found: totals, agreement of the views, examples, histograms."""
    return NoiseReport.model_validate(report(session, run_of(session, dataset, run)))
