"""Say how a job stands: its stages, what it spent, how long it will take."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.api.use_cases.estimate_eta import Eta, History
from services.api.use_cases.time_left import TimeLeft
from services.shared.clock import utc_now
from services.shared.db.repos import listings, spending
from services.shared.db.repos.spending import Spent
from services.shared.db.tables import Job, Stage
from services.shared.llm.budget import DEFAULT_PRICES, Tokens


@dataclass(frozen=True, kw_only=True)
class Spending:
    """Attempts, tokens and dollars; dollars are None when any price is unknown."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float | None = 0.0


@dataclass(frozen=True, kw_only=True)
class StageView:
    """A stage as the caller sees it."""

    name: str
    state: str
    progress: dict[str, Any]
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    peak_memory_bytes: int | None
    figures: dict[str, Any]
    error: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class PauseView:
    """Why a job waits; `retry_at` is None where it waits for a person."""

    code: str
    detail: str
    stage: str | None
    since: datetime
    retry_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class JobView:
    """A job as the caller sees it."""

    id: UUID
    kind: str
    state: str
    stage: str | None
    stages: Sequence[StageView]
    pause: PauseView | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: dict[str, Any]
    eta_seconds: float | None
    eta_basis: str | None
    usage: Spending
    error: dict[str, Any] | None
    result: dict[str, Any] | None
    links: dict[str, str] = field(default_factory=dict)


def describe_jobs(session: Session, jobs: Sequence[Job]) -> list[JobView]:
    """Return the jobs' views, with a few queries for all of them and some for each dataset."""
    runs = [job.id for job in jobs if job.kind == "run"]
    stages = listings.stages_of(session, runs)
    spent = spending.of_runs(session, runs)
    time = TimeLeft(session, jobs)
    return [
        _view(
            job,
            stages.get(job.id, []),
            [part for part in spent if part.run_id == job.id],
            time.of(job, stages.get(job.id, [])),
        )
        for job in jobs
    ]


def describe_job(session: Session, job: Job) -> JobView:
    """Return the job's view."""
    return describe_jobs(session, [job])[0]


def describe_progress(session: Session, job: Job, past: History | None = None) -> dict[str, Any]:
    """Return how far the job is, as its view says it, without what it spent: that is a sum.

    `past` is what `TimeLeft.history` said lately, for who asks often.
    """
    stages = listings.stages_of(session, [job.id]).get(job.id, [])
    view = _view(job, stages, [], TimeLeft(session, [job], past).of(job, stages))
    return {
        "state": view.state,
        "stage": view.stage,
        "progress": view.progress,
        "eta_seconds": view.eta_seconds,
    }


def price(spent: Sequence[Spent]) -> Spending:
    """Return the sum of the parts, each at the price of its day."""
    usd: Decimal | None = Decimal(0)
    for part in spent:
        tokens = Tokens(prompt=part.prompt_tokens, completion=part.completion_tokens)
        cost = DEFAULT_PRICES.cost({part.model: tokens}, part.day)
        usd = None if usd is None or cost is None else usd + cost
    return Spending(
        requests=sum(part.requests for part in spent),
        prompt_tokens=sum(part.prompt_tokens for part in spent),
        completion_tokens=sum(part.completion_tokens for part in spent),
        usd=None if usd is None else float(usd),
    )


def _view(job: Job, stages: Sequence[Stage], spent: Sequence[Spent], eta: Eta | None) -> JobView:
    now = utc_now()
    active = [stage for stage in stages if stage.state == "running"]
    active += [stage for stage in stages if stage.state == "ready"]
    rate = next((stage for stage in stages if stage.name == "rate"), None)
    return JobView(
        id=job.id,
        kind=job.kind,
        state=job.state,
        stage=active[0].name if active else None,
        stages=[_stage(stage, now) for stage in stages],
        pause=_pause(job),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        progress=job.progress if rate is None else rate.progress,
        eta_seconds=eta.seconds if eta else None,
        eta_basis=eta.basis if eta else None,
        usage=price(spent),
        error=job.error,
        result=job.result,
        links=_links(job),
    )


def _pause(job: Job) -> PauseView | None:
    if job.state != "paused" or job.pause is None:
        return None
    return PauseView(
        code=job.pause["code"],
        detail=job.pause["detail"],
        stage=job.pause.get("stage"),
        since=datetime.fromisoformat(job.pause["since"]),
        retry_at=job.retry_at,
    )


def _stage(stage: Stage, now: datetime) -> StageView:
    seconds = None
    if stage.started_at is not None:
        seconds = round(((stage.finished_at or now) - stage.started_at).total_seconds(), 3)
    return StageView(
        name=stage.name,
        state=stage.state,
        progress=stage.progress,
        started_at=stage.started_at,
        finished_at=stage.finished_at,
        seconds=seconds,
        peak_memory_bytes=stage.peak_memory_bytes,
        figures=stage.figures,
        error=stage.error,
    )


def _links(job: Job) -> dict[str, str]:
    links = {"self": f"/v1/jobs/{job.id}"}
    if job.dataset_id is not None:
        dataset = links["dataset"] = f"/v1/datasets/{job.dataset_id}"
        if job.kind == "run":
            links["verdicts"] = f"{dataset}/verdicts?run={job.id}"
            links["noise_report"] = f"{dataset}/noise-report?run={job.id}"
    model_id = (job.result or {}).get("model_id")
    if model_id is not None:
        links["model"] = f"/v1/models/{model_id}"
    return links
