"""What a stage is given, and what it gives back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from services.recsys.seeds import Seeds
from services.shared.artifacts import ArtifactStore, Draft, Manifest
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Run
from services.shared.errors import ConflictError
from services.shared.specs import RunSpec
from services.shared.stages import StageName
from services.trainer.progress import Progress


@dataclass(frozen=True)
class Context:
    """A run as it was pinned, its files so far, and a way to tell how far the stage is."""

    run: Run  # detached: read only
    spec: RunSpec
    stage: StageName
    store: ArtifactStore
    work: Path  # local, kept over attempts
    progress: Progress

    def folder(self, stage: StageName) -> Path:
        """Return the verified local folder of an earlier stage's files."""
        pointer = self.run.artifacts.get(stage.value)
        if pointer is None:
            raise ConflictError(f"The run has no files of the stage {stage.value}.")
        return self.store.open(pointer["path"], sha256=pointer["sha256"])

    @contextmanager
    def writing(self, prefix: str | None = None) -> Iterator[Draft]:
        """Yield a folder for this stage's files; published when the block ends well."""
        where = prefix or f"runs/{self.run.id}/{self.stage.value}"
        meta = {"run_id": str(self.run.id), "stage": self.stage.value}
        with self.store.writing(where, meta=meta) as draft:
            yield draft

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a short transaction within the run's project."""
        with unit_of_work(self.run.project_id) as session:
            yield session

    def seeds(self) -> Seeds:
        """Return this stage's generators: other stages draw without disturbing them."""
        return Seeds(Seeds(self.run.seed).integer(self.stage.value))


def _nothing(_session: Session) -> None:
    pass


@dataclass(frozen=True)
class Result:
    """A stage's figures, files and rows; `record` runs in the transaction that ends the stage."""

    figures: dict[str, Any]
    manifest: Manifest | None = None
    record: Callable[[Session], None] = _nothing
