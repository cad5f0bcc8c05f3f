"""Where a run keeps checkpoints until it ends: local, and worth nothing to anybody else.

A stage that is claimed again on the same host goes on from there; on another host it starts anew.
"""

import shutil
import tempfile
from pathlib import Path
from uuid import UUID

from services.shared.settings import settings


def folder(run_id: UUID, stage: str) -> Path:
    """Return the stage's own folder, made if need be."""
    path = _of_run(run_id) / stage
    path.mkdir(parents=True, exist_ok=True)
    return path


def forget(run_id: UUID) -> None:
    """Remove all that the run's stages left behind on this host."""
    shutil.rmtree(_of_run(run_id), ignore_errors=True)


def _of_run(run_id: UUID) -> Path:
    base = settings().spool_dir or Path(tempfile.gettempdir()) / "winnow-spool"
    return base / "work" / str(run_id)
