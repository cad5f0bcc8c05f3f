"""Delete a dataset: out of sight at once, erased soon after."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.api.use_cases.cancel_job import cancel_all_of
from services.shared.broker import enqueue
from services.shared.db.repos import audit, datasets
from services.shared.db.repos.audit import Actor, Deed
from services.shared.queues import Task


def delete_dataset(session: Session, *, project_id: UUID, dataset_id: UUID, actor: Actor) -> None:
    """Set the tombstone, stop what works on the dataset and send for the purge."""
    dataset = datasets.lock(session, dataset_id)
    cancel_all_of(session, dataset_id)
    datasets.bury(session, dataset_id)
    deed = Deed(action="dataset.delete", dataset_id=dataset_id, subject={"name": dataset.name})
    audit.add(session, actor, deed, project_id=project_id)
    enqueue(session, Task.PURGE_DATASET, dataset_id, project_id=project_id)
