"""Jobs, and the body that starts a run."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from services.api.schemas.base import MOMENT, OTHER_UUID, UUID_EXAMPLE, Answer, Body, NextPage
from services.api.schemas.preflight import Warned
from services.shared.specs import LlmhniParams, RunSpec


class NewRun(Body):
    """A run to be started; everything has a default."""

    method: Literal["llmhni"] = Field(default="llmhni", examples=["llmhni"])
    """The denoising method."""
    backbone: Literal["lightgcn", "ngcf", "mf"] = Field(default="lightgcn", examples=["lightgcn"])
    """The model that it trains. `mf` has no graph: refinement reaches it by its pairs alone, and
    `lambda_1` and `lambda_2` do nothing."""
    params: LlmhniParams = Field(default=LlmhniParams(), examples=[{"epochs": 12}])
    """The method's parameters."""
    seed: int = Field(default=0, ge=0, lt=2**63, examples=[7])
    """The root of all randomness."""
    budget_pairs: int = Field(default=10_000, gt=0, le=1_000_000_000, examples=[2000])
    """Most pairs that are rated; each costs two calls."""
    budget_usd: Decimal | None = Field(
        default=None, gt=0, decimal_places=6, max_digits=15, examples=[None]
    )
    """Most dollars that are spent; refused, so far, for a model that costs any."""
    prompt_version: int | None = Field(default=None, ge=1, lt=2**31, examples=[None])
    """The version of both rating prompts; null for the newest."""
    validate_only: bool = Field(default=False, strict=True, examples=[False])
    """Check and estimate, start nothing: answered 200 with the estimate."""

    def spec(self) -> RunSpec:
        """Return what the caller set, as the run's row keeps it."""
        return RunSpec(**{name: getattr(self, name) for name in self.model_fields_set})


class Progress(Answer):
    """How far a job is, in its own unit: rows of an import, calls of a rating, stages of a run."""

    total: int | None = Field(default=None, examples=[22])
    completed: int = Field(default=0, examples=[14])
    failed: int = Field(default=0, examples=[0])
    cached: int = Field(default=0, examples=[3])


class StageAnswer(Answer):
    """One stage of a run."""

    name: str = Field(examples=["rate"])
    state: str = Field(examples=["running"])
    progress: dict[str, Any] = Field(
        examples=[{"total": 4000, "completed": 1200, "failed": 0, "cached": 31}]
    )
    started_at: datetime | None = Field(examples=[MOMENT])
    finished_at: datetime | None = Field(examples=[None])
    seconds: float | None = Field(examples=[41.5])
    peak_memory_bytes: int | None = Field(examples=[None])
    figures: dict[str, Any] = Field(examples=[{}])
    error: dict[str, Any] | None = Field(examples=[None])


class UsageAnswer(Answer):
    """What was asked of language models so far; usd is null where a price is unknown."""

    requests: int = Field(examples=[1200])
    prompt_tokens: int = Field(examples=[512000])
    completion_tokens: int = Field(examples=[30100])
    usd: float | None = Field(examples=[0.0])


class PauseAnswer(Answer):
    """Why a job waits, and when it is tried again by itself."""

    code: Literal["ASKED", "LLM_AWAY", "EMBEDDER_AWAY", "DISK_FULL"] = Field(examples=["LLM_AWAY"])
    """ASKED: somebody asked for it, and somebody has to resume it; the others end by themselves."""
    detail: str = Field(
        examples=["The LLM's endpoint is away: the connection failed. It is tried again by itself."]
    )
    stage: str | None = Field(examples=["rate"])
    """The stage of a run that waits; stages that do not need what is away go on beside it."""
    since: datetime = Field(examples=[MOMENT])
    retry_at: datetime | None = Field(examples=[MOMENT])
    """Null where it waits for a person."""


class JobAnswer(Answer):
    """Anything that takes time."""

    id: UUID = Field(examples=[UUID_EXAMPLE])
    kind: str = Field(examples=["run"])
    state: Literal[
        "queued", "running", "paused", "cancelling", "succeeded", "failed", "cancelled"
    ] = Field(examples=["running"])
    stage: str | None = Field(examples=["rate"])
    """What it is at."""
    stages: list[StageAnswer]
    pause: PauseAnswer | None = Field(examples=[None])
    """Why it waits, while its state is paused."""
    created_at: datetime = Field(examples=[MOMENT])
    started_at: datetime | None = Field(examples=[MOMENT])
    finished_at: datetime | None = Field(examples=[None])
    progress: Progress
    eta_seconds: float | None = Field(examples=[95.0])
    """Null where nobody knows."""
    eta_basis: str | None = Field(examples=["From this run's own pace."])
    """What the estimate rests on, or why there is none; null once the job has ended."""
    usage: UsageAnswer
    error: dict[str, Any] | None = Field(examples=[None])
    result: dict[str, Any] | None = Field(examples=[None])
    links: dict[str, str] = Field(
        examples=[{"self": f"/v1/jobs/{UUID_EXAMPLE}", "dataset": f"/v1/datasets/{OTHER_UUID}"}]
    )


class Jobs(Answer):
    """A page of jobs, newest first."""

    jobs: list[JobAnswer]
    next_page_token: NextPage


class RunEstimate(Answer):
    """What a run would come to. Nothing was started and nothing was written."""

    dataset_version: int = Field(examples=[12])
    llm: str = Field(examples=["winnow-local-rater"])
    embedder: str = Field(examples=["winnow-local-encoder"])
    prompt_version: int = Field(examples=[1])
    pairs: int = Field(examples=[2000])
    """Pairs to be rated, within `budget_pairs`."""
    edges: int = Field(examples=[1600])
    """Of them pairs of the log that look odd."""
    non_edges: int = Field(examples=[400])
    """Of them pairs that are not in the log and look likely."""
    prompts: int = Field(examples=[4000])
    """Calls, two a pair."""
    cached_share: float = Field(examples=[0.0])
    """Of the prompts, those counted on to be answered from the cache."""
    cached_share_at_most: float = Field(examples=[0.31])
    """Of the prompts, those that the cache could answer at the very best."""
    cached_basis: str = Field(examples=["This model has answered nothing here yet."])
    prompt_tokens: int = Field(examples=[3_900_000])
    """Of the prompts that are not counted on to be cached."""
    completion_tokens: int = Field(examples=[160_000])
    tokens_basis: str = Field(examples=["Prompts of sampled users, at 4 bytes a token."])
    texts_to_embed: int = Field(examples=[540])
    embedding_tokens: int = Field(examples=[42_000])
    usd: float | None = Field(examples=[0.0])
    """Null where a price is unknown; 0 for the local models."""
    usd_basis: str = Field(examples=["At the list prices of today; retries come on top."])
    minutes: float | None = Field(examples=[3.5])
    """Null where no run of before tells how fast things go."""
    minutes_basis: str = Field(examples=["At the rates of the dataset's last run."])
    warnings: list[Warned]
    """As in the preflight report."""


class EventAnswer(Answer):
    """Something that happened to a job, to one of its stages or batches."""

    id: int = Field(validation_alias="seq", examples=[7])
    """Counts the job's events from 1, without gaps, in the order in which they were committed."""
    at: datetime = Field(examples=[MOMENT])
    kind: str = Field(examples=["stage.succeeded"])
    """job.queued, .running, .paused, .resumed, .cancelling, .succeeded, .failed, .cancelled;
    stage.ready, .running, .released, .succeeded, .failed, .cancelled; batch.dead."""
    stage: str | None = Field(examples=["pretrain"])
    data: dict[str, Any] = Field(
        examples=[{"attempt": 1, "seconds": 4.1, "figures": {"epochs": 6}}]
    )
    """The attempt, seconds, small figures, the error, or what a pause waits for."""


class Events(Answer):
    """A page of a job's events, oldest first."""

    events: list[EventAnswer]
    next_page_token: NextPage


class Runs(Answer):
    """A page of a dataset's runs, newest first; a run's id is its job's id."""

    runs: list[JobAnswer]
    next_page_token: NextPage
