"""Start an import of a file that has been received."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.db.repos import imports, jobs
from services.shared.db.tables import Dataset, Import, Job


@dataclass(frozen=True, kw_only=True)
class Received:
    """A file in the spool folder and how it is to be read."""

    import_id: UUID
    kind: str
    options: Mapping[str, Any]
    spool_name: str
    size: int
    sha256: bytes


def start_import(
    session: Session, dataset: Dataset, received: Received, *, request_id: str | None
) -> Job:
    """Return the job; a worker is sent for when the transaction commits."""
    job = jobs.create(
        session,
        "import",
        job_id=received.import_id,
        project_id=dataset.project_id,
        dataset_id=dataset.id,
        request_id=request_id,
    )
    row = Import(
        id=received.import_id,
        project_id=dataset.project_id,
        dataset_id=dataset.id,
        kind=received.kind,
        options=dict(received.options),
        spool_name=received.spool_name,
        size_bytes=received.size,
        sha256=received.sha256,
    )
    imports.create(session, row)
    session.refresh(job)
    return job
