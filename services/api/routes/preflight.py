"""The preflight report: what a dataset holds and what a run would make of it."""

from fastapi import APIRouter

from services.api.deps import LiveDataset, Reader, Unit
from services.api.schemas.preflight import PreflightReport
from services.api.strict import StrictRoute
from services.api.use_cases.report_preflight import report_preflight as report

router = APIRouter(
    prefix="/v1/datasets/{dataset}/preflight", tags=["datasets"], route_class=StrictRoute
)


@router.get("")
def report_preflight(_project: Reader, session: Unit, dataset: LiveDataset) -> PreflightReport:
    """Count what is there, say what a run could train and judge, and warn; nothing is started."""
    return PreflightReport.model_validate(report(session, dataset))
