"""Does one stage: load the run, call its pipeline step, end the stage in one transaction."""

from collections.abc import Callable
from importlib import import_module

import torch

from services.shared.artifacts import ArtifactStore
from services.shared.db.repos import models, runs, stages
from services.shared.db.repos.stages import StageLease
from services.shared.db.session import unit_of_work
from services.shared.memory import peak_memory
from services.shared.settings import settings
from services.shared.specs import RunSpec
from services.shared.stages import StageName
from services.trainer import workspace
from services.trainer.context import Context, Result
from services.trainer.progress import Progress


def perform(lease: StageLease) -> None:
    """Do the stage and end it; LeaseLostError, with nothing written, when the lease is lost."""
    torch.set_num_threads(settings().train_threads)
    result = _step(lease.name)(_context(lease))
    with unit_of_work(lease.project_id) as session:
        result.record(session)
        if result.manifest is not None:
            models.keep_files(session, lease.run_id, lease.name.value, result.manifest)
        stages.finish(session, lease, result.figures, peak_memory_bytes=peak_memory())
    # the last stage also takes what a killed process of an earlier one could not
    last = lease.name is StageName.PUBLISH
    workspace.forget(lease.run_id, "*" if last else lease.name.value)


def _step(name: StageName) -> Callable[[Context], Result]:
    """Return the stage's `run`; the other stages' imports would cost each child a second."""
    step: Callable[[Context], Result] = import_module(f"services.trainer.pipeline.{name.value}").run
    return step


def _context(lease: StageLease) -> Context:
    with unit_of_work(lease.project_id) as session:
        run = runs.get(session, lease.run_id)
    return Context(
        run=run,
        spec=RunSpec.read(run.spec),
        stage=lease.name,
        store=ArtifactStore(settings().require("artifacts_url")),
        work=workspace.folder(lease.run_id, lease.name.value),
        progress=Progress(lease),
    )
