"""Rename a dataset or change single settings."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.api.use_cases.create_dataset import check_expression
from services.shared.db.repos import datasets
from services.shared.db.tables import Dataset
from services.shared.errors import InvalidError
from services.shared.specs import DatasetSettings


def change_dataset(
    session: Session, dataset_id: UUID, *, name: str | None, settings: dict[str, Any] | None
) -> Dataset:
    """Return the dataset after the change; other settings are another version for a run."""
    dataset = datasets.lock(session, dataset_id)
    if settings is not None:
        wanted = _merged(dataset.settings, settings)
        if wanted != dataset.settings:
            dataset.settings = wanted
            dataset.version += 1
    if name is not None:
        dataset.name = name
        datasets.flush_name(session, name)
    session.flush()
    return dataset


def _merged(before: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    try:
        settings = DatasetSettings.read({**before, **change})
    except InvalidError as error:
        faults = [
            replace(fault, pointer=f"/settings{fault.pointer or ''}") for fault in error.errors
        ]
        raise InvalidError(error.detail, errors=faults) from None
    check_expression(settings)
    return dict(settings.to_json())
