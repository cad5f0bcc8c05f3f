"""Models: their cards, and which one is served."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from services.api.deps import Reader, Unit, Uuid, Writer, uuid_or_404
from services.api.paging import Paged, cut, moment_place
from services.api.schemas.models import ModelAnswer, Models
from services.api.strict import StrictRoute
from services.api.use_cases.promote_model import promote_model as promote
from services.shared.db.repos import datasets, listings
from services.shared.db.tables import Model

router = APIRouter(prefix="/v1/models", tags=["models"], route_class=StrictRoute)


@router.get("")
def list_models(
    _project: Reader,
    session: Unit,
    page: Paged,
    dataset: Annotated[UUID | None, Query(description="only this dataset's")] = None,
) -> Models:
    """List models, newest first."""
    if dataset is not None:
        datasets.live(session, dataset)
    rows = listings.models(session, dataset_id=dataset, size=page.size, after=moment_place(page))
    served = listings.served(session, {row.dataset_id for row in rows})
    return Models(
        models=[_card(row, served=row.id in served) for row in rows[: page.size]],
        next_page_token=cut(rows, page, lambda row: (row.created_at, row.id)),
    )


@router.get("/{model}")
def get_model(model: Uuid, _project: Reader, session: Unit) -> ModelAnswer:
    """Return a model's card."""
    row = listings.model(session, uuid_or_404("model", model))
    return _card(row, served=row.id in listings.served(session, {row.dataset_id}))


@router.post("/{model}:promote")
def promote_model(model: Uuid, project: Writer, session: Unit, request: Request) -> ModelAnswer:
    """Serve this model's lists from now on."""
    row = promote(session, uuid_or_404("model", model))
    request.app.state.pointers.forget(project, row.dataset_id)
    return _card(row, served=True)


def _card(row: Model, *, served: bool) -> ModelAnswer:
    own = {
        "id": row.id,
        "dataset_id": row.dataset_id,
        "run_id": row.run_id,
        "dataset_version": row.dataset_version,
        "default_graph": row.default_graph,
        "served": served,
        "created_at": row.created_at,
    }
    return ModelAnswer.model_validate({**row.card, **own})
