"""Where a stage keeps checkpoints until it ends: local, and worth nothing to anybody else.

A stage that is claimed again on the same host goes on from there; on another host it starts anew.
"""

import shutil
import tempfile
from pathlib import Path
from uuid import UUID

from services.shared.settings import settings


def folder(run_id: UUID, stage: str) -> Path:
    """Return the stage's own folder, made if need be."""
    path = _base() / f"{run_id}.{stage}"
    path.mkdir(parents=True, exist_ok=True)
    return path


def kept(run_id: UUID, stage: str = "*") -> list[Path]:
    """Return the folders that one stage, or any of the run's, has on this host."""
    return sorted(_base().glob(f"{run_id}.{stage}"))


def forget(run_id: UUID, stage: str = "*") -> None:
    """Remove what one stage, or all of the run's, left behind on this host."""
    for path in kept(run_id, stage):
        shutil.rmtree(path, ignore_errors=True)


def _base() -> Path:
    spool = settings().spool_dir or Path(tempfile.gettempdir()) / "winnow-spool"
    return spool / "work"
