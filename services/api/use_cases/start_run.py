"""Start a run: everything that it depends on is pinned here."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.clock import utc_now
from services.shared.db.repos import interactions, jobs, listings, stages
from services.shared.db.repos.interactions import Extent
from services.shared.db.tables import Dataset, Job, Run
from services.shared.errors import Fault, InvalidError
from services.shared.ids import new_id
from services.shared.llm.budget import DEFAULT_PRICES, check_enforceable
from services.shared.llm.prompts.defaults import PROMPT_NAMES
from services.shared.settings import Endpoint, settings
from services.shared.specs import RunSpec

MIN_USERS, MIN_ITEMS = 10, 10
"""As the snapshot asks after filtering and splitting: without these it need not begin."""


def start_run(session: Session, dataset: Dataset, spec: RunSpec, *, request_id: str | None) -> Job:
    """Return the queued job; InvalidError, with counts, when the run could not come to an end."""
    llm, embedder = _model("llm", settings().llm), _model("embedder", settings().embedder)
    check_enforceable(spec.budget(), DEFAULT_PRICES.on(llm, utc_now().date()))
    _check_extent(interactions.extent(session, dataset.id))
    run_id = new_id()
    job = jobs.create(
        session,
        "run",
        job_id=run_id,
        project_id=dataset.project_id,
        dataset_id=dataset.id,
        request_id=request_id,
    )
    version = _prompt_version(session, spec.prompt_version)
    session.add(_run(run_id, dataset, spec, llm=llm, embedder=embedder, prompt_version=version))
    session.flush()
    stages.create_all(session, run_id=run_id, project_id=dataset.project_id)
    session.refresh(job)
    return job


def _run(
    run_id: UUID, dataset: Dataset, spec: RunSpec, *, llm: str, embedder: str, prompt_version: int
) -> Run:
    return Run(
        id=run_id,
        project_id=dataset.project_id,
        dataset_id=dataset.id,
        dataset_version=dataset.version,
        dataset_settings=dataset.settings,
        spec=spec.to_json(),
        config_sha256=spec.config_hash(),
        seed=spec.seed,
        llm=llm,
        embedder=embedder,
        prompt_version=prompt_version,
        artifacts={},
    )


def _model(noun: str, endpoint: Endpoint) -> str:
    if not endpoint.base_url or not endpoint.model:
        raise InvalidError(
            f"No {noun} is configured: WINNOW_{noun.upper()}__BASE_URL and __MODEL name one.",
            code=f"NO_{noun.upper()}",
        )
    return endpoint.model


def _check_extent(extent: Extent) -> None:
    found = {"users": (extent.users, MIN_USERS), "items": (extent.items, MIN_ITEMS)}
    faults = [
        Fault(code="TOO_LITTLE_DATA", detail=f"{n} {noun} have interactions, {least} are needed.")
        for noun, (n, least) in found.items()
        if n < least
    ]
    if faults:
        counts = f"{extent.interactions} interactions, {extent.users} users, {extent.items} items"
        raise InvalidError(
            f"Too little to train and evaluate: {counts}.", code="TOO_LITTLE_DATA", errors=faults
        )


def _prompt_version(session: Session, wanted: int | None) -> int:
    usable = listings.prompt_versions(session, set(PROMPT_NAMES.values()))
    if not usable or (wanted is not None and wanted not in usable):
        raise InvalidError(
            f"There is no version {wanted} of the rating prompts, only {sorted(usable)}.",
            pointer="/prompt_version",
        )
    return max(usable) if wanted is None else wanted
