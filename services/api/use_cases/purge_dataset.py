"""Erase a deleted dataset: rows in small transactions, then its files, then its own row."""

import threading
from uuid import UUID

from services.shared.artifacts import ArtifactStore
from services.shared.db.repos import audit, purges
from services.shared.db.repos.audit import SYSTEM, Deed
from services.shared.db.session import unit_of_work
from services.shared.log import get_logger

log = get_logger(__name__)


def purge_dataset(
    dataset_id: UUID,
    *,
    project_id: UUID,
    store: ArtifactStore,
    reports: str,
    stopping: threading.Event,
) -> bool:
    """Erase all that hangs on the tombstone; say whether it is done.

    `reports` is the folder of its imports' reports. Nothing is done while a job of the dataset
    has not ended or another worker is at it: the sweep sends again. A second purge, and one after
    a crash, goes on where the first was.
    """
    with unit_of_work(project_id) as guard:
        if not purges.alone(guard, dataset_id):
            return False
        if not _is_ready(dataset_id, project_id):
            return False
        while _erase_some(dataset_id, project_id):
            if stopping.is_set():
                return False
        _erase_files(dataset_id, project_id, store, reports)
        with unit_of_work(project_id) as session:
            purges.erase_row(session, dataset_id)
            deed = Deed(action="dataset.erase", dataset_id=dataset_id, subject={})
            audit.add(session, SYSTEM, deed, project_id=project_id)
    log.info("dataset_purged")
    return True


def _is_ready(dataset_id: UUID, project_id: UUID) -> bool:
    with unit_of_work(project_id) as session:
        if not purges.is_buried(session, dataset_id):
            return False
        purges.end_abandoned_imports(session, dataset_id)
        return not purges.is_worked_on(session, dataset_id)


def _erase_some(dataset_id: UUID, project_id: UUID) -> int:
    with unit_of_work(project_id) as session:
        return purges.erase_some(session, dataset_id)


def _erase_files(dataset_id: UUID, project_id: UUID, store: ArtifactStore, reports: str) -> None:
    """Remove the files while the rows that lead to them still stand."""
    with unit_of_work(project_id) as session:
        runs = purges.run_ids(session, dataset_id)
    for run_id in runs:
        store.delete(f"runs/{run_id}")
        store.delete(f"models/{run_id}")
    store.delete(reports)
