"""Where a stage keeps checkpoints until it ends: local, and worth nothing to anybody else.

A stage that is claimed again on the same host goes on from there; on another host it starts anew.
"""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from services.shared.settings import settings


def folder(run_id: UUID, stage: str) -> Path:
    """Return the stage's own folder, made if need be."""
    path = _of_run(run_id) / stage
    path.mkdir(parents=True, exist_ok=True)
    return path


def forget(run_id: UUID, stage: str | None = None) -> None:
    """Remove what one stage, or all of the run's, left behind on this host."""
    of_run = _of_run(run_id)
    shutil.rmtree(of_run if stage is None else of_run / stage, ignore_errors=True)
    with suppress(OSError):  # others are still at work
        of_run.rmdir()


def _of_run(run_id: UUID) -> Path:
    base = settings().spool_dir or Path(tempfile.gettempdir()) / "winnow-spool"
    return base / "work" / str(run_id)
