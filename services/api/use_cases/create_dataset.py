"""Make an empty dataset."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.shared import expression
from services.shared.db.repos import datasets
from services.shared.db.tables import Dataset
from services.shared.specs import DatasetSettings


def create_dataset(
    session: Session, *, project_id: UUID, name: str, settings: DatasetSettings
) -> Dataset:
    """Return the new dataset.

    Raises ConflictError when the name is taken, InvalidError when `positive` cannot be read.
    """
    check_expression(settings)
    return datasets.create(session, project_id=project_id, name=name, settings=settings.to_json())


def check_expression(settings: DatasetSettings) -> None:
    """Raise InvalidError that shows where reading `positive` stopped."""
    if settings.positive is not None:
        expression.parse(settings.positive)
