"""Let a dataset serve another of its models."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.db.repos import datasets, listings
from services.shared.db.tables import Model


def promote_model(session: Session, model_id: UUID) -> Model:
    """Move the dataset's pointer and return the model; NotFoundError also without its dataset."""
    model = listings.model(session, model_id)
    dataset = datasets.lock(session, model.dataset_id)
    dataset.current_model_id = model.id
    session.flush()
    return model
