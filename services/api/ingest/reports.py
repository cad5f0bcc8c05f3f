"""Where the full report of an import's rejected lines lies, once it is in the artefact store."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from services.api.ingest.plan import ERRORS
from services.shared.artifacts import ArtifactStore
from services.shared.settings import settings

BLOCK = 1 << 20


def prefix(dataset_id: UUID) -> str:
    """Return the folder of all reports of a dataset."""
    return f"imports/{dataset_id}"


def keep(source: Path, *, dataset_id: UUID, import_id: UUID) -> str:
    """Publish a report and return the path that the import's row keeps."""
    with store().writing(f"{prefix(dataset_id)}/{import_id}") as draft:
        shutil.copyfile(source, draft.folder / ERRORS)
    return draft.manifest.path


def read(path: str) -> Iterator[bytes]:
    """Return a report's bytes in blocks; ArtifactCorruptError, at once, when it is damaged."""
    return _blocks(store().open(path) / ERRORS)


def store() -> ArtifactStore:
    """Return the artefact store; copies from an object store lie beside the uploads."""
    spool = settings().spool_dir
    cache = spool / "artifacts" if spool else None
    return ArtifactStore(settings().require("artifacts_url"), cache=cache)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block
