"""Rename a dataset or change single settings."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.api.use_cases.create_dataset import check_expression
from services.shared.db.repos import audit, datasets
from services.shared.db.repos.audit import Actor, Deed
from services.shared.db.tables import Dataset
from services.shared.errors import InvalidError
from services.shared.specs import DatasetSettings


def change_dataset(
    session: Session,
    dataset_id: UUID,
    *,
    name: str | None,
    settings: dict[str, Any] | None,
    actor: Actor,
) -> Dataset:
    """Return the dataset after the change; other settings are another version for a run."""
    dataset = datasets.lock(session, dataset_id)
    before = {"name": dataset.name, **DatasetSettings.read(dataset.settings).to_json()}
    if settings is not None:
        wanted = _merged(dataset.settings, settings)
        if wanted != dataset.settings:
            dataset.settings = wanted
            dataset.version += 1
    if name is not None:
        dataset.name = name
        datasets.flush_name(session, name)
    session.flush()
    after = {"name": dataset.name, **DatasetSettings.read(dataset.settings).to_json()}
    changes = _changes(before, after)
    if changes:
        deed = Deed(action="dataset.change", dataset_id=dataset_id, subject=changes)
        audit.add(session, actor, deed, project_id=dataset.project_id)
    return dataset


def _changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what was before and after, by the name of what has changed."""
    return {
        name: {"before": before.get(name), "after": value}
        for name, value in after.items()
        if before.get(name) != value
    }


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
