"""Runs: started here, watched as jobs."""

import structlog
from fastapi import APIRouter, Response

from services.api.deps import ActOnce, LiveDataset, Reader, Unit
from services.api.paging import Paged, cut, moment_place
from services.api.schemas.jobs import JobAnswer, NewRun, RunEstimate, Runs
from services.api.strict import StrictRoute
from services.api.use_cases.describe_job import describe_job, describe_jobs
from services.api.use_cases.estimate_run import estimate_run
from services.api.use_cases.start_run import start_run as start
from services.shared.db.repos import listings

router = APIRouter(prefix="/v1/datasets/{dataset}/runs", tags=["runs"], route_class=StrictRoute)


@router.post("", status_code=202, response_model=JobAnswer, responses={200: {"model": RunEstimate}})
def start_run(body: NewRun, once: ActOnce, session: Unit, dataset: LiveDataset) -> Response:
    """Start to denoise and train; refused at once, with the counts, when it cannot succeed.

    With `validate_only` nothing is started: the answer is the estimate, or the same refusal.
    """
    if body.validate_only:  # nor is anything kept under an Idempotency-Key
        estimate = RunEstimate.model_validate(estimate_run(session, dataset, body.spec()))
        return Response(estimate.model_dump_json(), media_type="application/json")
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    job = start(session, dataset, body.spec(), request_id=request_id)
    answer = JobAnswer.model_validate(describe_job(session, job))
    return once.answer(202, answer, headers={"Location": f"/v1/jobs/{job.id}"})


@router.get("")
def list_runs(_project: Reader, session: Unit, dataset: LiveDataset, page: Paged) -> Runs:
    """List the dataset's runs, newest first."""
    rows = listings.run_jobs(session, dataset.id, size=page.size, after=moment_place(page))
    views = describe_jobs(session, rows[: page.size])
    return Runs(
        runs=[JobAnswer.model_validate(view) for view in views],
        next_page_token=cut(rows, page, lambda row: (row.created_at, row.id)),
    )
