"""Datasets."""

from fastapi import APIRouter, Request, Response

from services.api.deps import ActOnce, LiveDataset, Reader, Unit, Who, Writer
from services.api.paging import Paged, cut, moment_place
from services.api.routes.models import card_of
from services.api.schemas.datasets import DatasetAnswer, DatasetChange, Datasets, NewDataset
from services.api.schemas.models import ModelAnswer
from services.api.strict import StrictRoute
from services.api.use_cases.change_dataset import change_dataset as change
from services.api.use_cases.create_dataset import create_dataset as make
from services.api.use_cases.delete_dataset import delete_dataset as delete
from services.api.use_cases.promote_model import roll_back
from services.shared.db.repos import datasets

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], route_class=StrictRoute)


@router.post("", status_code=201, response_model=DatasetAnswer)
def create_dataset(
    body: NewDataset, project: Writer, who: Who, session: Unit, once: ActOnce
) -> Response:
    """Make an empty dataset; every setting has a default."""
    dataset = make(session, project_id=project, name=body.name, settings=body.settings, actor=who)
    location = {"Location": f"/v1/datasets/{dataset.id}"}
    return once.answer(201, DatasetAnswer.model_validate(dataset), headers=location)


@router.get("")
def list_datasets(_project: Reader, session: Unit, page: Paged) -> Datasets:
    """List the project's datasets, oldest first."""
    rows = datasets.page(session, size=page.size, after=moment_place(page))
    return Datasets(
        datasets=[DatasetAnswer.model_validate(row) for row in rows[: page.size]],
        next_page_token=cut(rows, page, lambda row: (row.created_at, row.id)),
    )


@router.get("/{dataset}")
def get_dataset(dataset: LiveDataset) -> DatasetAnswer:
    """Return a dataset."""
    return DatasetAnswer.model_validate(dataset)


@router.patch("/{dataset}")
def change_dataset(
    body: DatasetChange, _project: Writer, who: Who, session: Unit, dataset: LiveDataset
) -> DatasetAnswer:
    """Rename a dataset or change single settings; a run that has begun keeps the old ones."""
    changed = change(session, dataset.id, name=body.name, settings=body.settings, actor=who)
    return DatasetAnswer.model_validate(changed)


@router.post("/{dataset}:rollback", response_model=ModelAnswer)
def roll_back_dataset(
    who: Who, session: Unit, dataset: LiveDataset, once: ActOnce, request: Request
) -> Response:
    """Serve what was served before the last promotion, undo or redo; once more goes further back.

    Send an Idempotency-Key: a repeated request without one goes back twice.
    """
    model = roll_back(session, dataset.id, actor=who)
    request.app.state.pointers.forget(once.project_id, dataset.id)
    return once.answer(200, card_of(session, model))


@router.delete("/{dataset}", status_code=204)
def delete_dataset(
    project: Writer, who: Who, session: Unit, dataset: LiveDataset, request: Request
) -> None:
    """Delete a dataset with all that hangs on it: gone at once, erased soon after."""
    delete(session, project_id=project, dataset_id=dataset.id, actor=who)
    request.app.state.pointers.forget(project, dataset.id)
