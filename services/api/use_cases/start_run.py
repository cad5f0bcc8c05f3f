"""Start a run: everything that it depends on is pinned here."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.api.use_cases.check_run import Pinned, check_run
from services.shared.db.repos import jobs, stages
from services.shared.db.tables import Dataset, Job, Run
from services.shared.ids import new_id
from services.shared.specs import RunSpec


def start_run(session: Session, dataset: Dataset, spec: RunSpec, *, request_id: str | None) -> Job:
    """Return the queued job; InvalidError, with counts, when the run could not come to an end."""
    pinned = check_run(session, dataset, spec)
    run_id = new_id()
    job = jobs.create(
        session,
        "run",
        job_id=run_id,
        project_id=dataset.project_id,
        dataset_id=dataset.id,
        request_id=request_id,
    )
    session.add(_run(run_id, dataset, pinned))
    session.flush()
    stages.create_all(session, run_id=run_id, project_id=dataset.project_id)
    session.refresh(job)
    return job


def _run(run_id: UUID, dataset: Dataset, pinned: Pinned) -> Run:
    spec = pinned.spec
    return Run(
        id=run_id,
        project_id=dataset.project_id,
        dataset_id=dataset.id,
        dataset_version=dataset.version,
        dataset_settings=dataset.settings,
        spec=spec.to_json(),
        config_sha256=spec.config_hash(),
        seed=spec.seed,
        llm=pinned.llm,
        embedder=pinned.embedder,
        prompt_version=pinned.prompt_version,
        artifacts={},
    )
