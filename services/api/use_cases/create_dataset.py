"""Make an empty dataset."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.shared import expression
from services.shared.db.repos import audit, datasets
from services.shared.db.repos.audit import Actor, Deed
from services.shared.db.tables import Dataset
from services.shared.specs import DatasetSettings


def create_dataset(
    session: Session, *, project_id: UUID, name: str, settings: DatasetSettings, actor: Actor
) -> Dataset:
    """Return the new dataset.

    Raises ConflictError when the name is taken, InvalidError when `positive` cannot be read.
    """
    check_expression(settings)
    wanted = settings.to_json()
    dataset = datasets.create(session, project_id=project_id, name=name, settings=wanted)
    subject = {"name": name, "settings": wanted}
    deed = Deed(action="dataset.create", dataset_id=dataset.id, subject=subject)
    audit.add(session, actor, deed, project_id=project_id)
    return dataset


def check_expression(settings: DatasetSettings) -> None:
    """Raise InvalidError that shows where reading `positive` stopped."""
    if settings.positive is not None:
        expression.parse(settings.positive)
