"""Models: their cards, and which one is served."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from services.api.deps import ActOnce, Reader, Unit, Uuid, Who, Writer, uuid_or_404
from services.api.paging import Paged, cut, moment_place
from services.api.schemas.models import ModelAnswer, Models, Promotion, RefinementAnswer, Remark
from services.api.strict import StrictRoute
from services.api.use_cases.promote_model import promote_model as promote
from services.api.use_cases.undo_refinement import Outcome
from services.api.use_cases.undo_refinement import redo_refinement as redo
from services.api.use_cases.undo_refinement import undo_refinement as undo
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
        models=[card(row, served.get(row.id)) for row in rows[: page.size]],
        next_page_token=cut(rows, page, lambda row: (row.created_at, row.id)),
    )


@router.get("/{model}")
def get_model(model: Uuid, _project: Reader, session: Unit) -> ModelAnswer:
    """Return a model's card."""
    row = listings.model(session, uuid_or_404("model", model))
    return card_of(session, row)


@router.post("/{model}:promote")
def promote_model(
    model: Uuid,
    project: Writer,
    who: Who,
    session: Unit,
    request: Request,
    body: Promotion | None = None,
) -> ModelAnswer:
    """Serve this model's lists from now on, of its own default graph or of the one named."""
    wanted = body or Promotion()
    ident, actor = uuid_or_404("model", model), who.by(wanted.author)
    row = promote(session, ident, graph=wanted.graph, actor=actor)
    request.app.state.pointers.forget(project, row.dataset_id)
    return card_of(session, row)


@router.post("/{model}:undo-refinement", response_model=RefinementAnswer)
def undo_refinement(
    model: Uuid,
    once: ActOnce,
    who: Who,
    session: Unit,
    request: Request,
    body: Remark | None = None,
) -> Response:
    """Take back what the model's run did to the graph.

    At once: if the dataset serves this model, it serves its raw graph's lists. For later runs:
    every pair that the run dropped, added or weighed down by rule stays as the log has it, until
    a redo or a person's own word.
    """
    wanted = body or Remark()
    ident, actor = uuid_or_404("model", model), who.by(wanted.author)
    outcome = undo(session, ident, note=wanted.note, actor=actor)
    request.app.state.pointers.forget(once.project_id, outcome.model.dataset_id)
    return once.answer(200, _refinement(session, outcome))


@router.post("/{model}:redo-refinement", response_model=RefinementAnswer)
def redo_refinement(
    model: Uuid,
    once: ActOnce,
    who: Who,
    session: Unit,
    request: Request,
    body: Remark | None = None,
) -> Response:
    """Take an undo back: its words that nobody has changed since, and the lists that it chose."""
    wanted = body or Remark()
    ident, actor = uuid_or_404("model", model), who.by(wanted.author)
    outcome = redo(session, ident, note=wanted.note, actor=actor)
    request.app.state.pointers.forget(once.project_id, outcome.model.dataset_id)
    return once.answer(200, _refinement(session, outcome))


def _refinement(session: Session, outcome: Outcome) -> RefinementAnswer:
    return RefinementAnswer(
        model=card_of(session, outcome.model),
        pairs=outcome.pairs,
        serving_changed=outcome.serving_changed,
        version=outcome.version,
    )


def card_of(session: Session, row: Model) -> ModelAnswer:
    """Return the card of one model, with what its dataset serves now."""
    return card(row, listings.served(session, {row.dataset_id}).get(row.id))


def card(row: Model, graph: str | None) -> ModelAnswer:
    """Return a model's card; `graph` is whose lists are served now, None where it is not."""
    own = {
        "id": row.id,
        "dataset_id": row.dataset_id,
        "run_id": row.run_id,
        "dataset_version": row.dataset_version,
        "default_graph": row.default_graph,
        "served": graph is not None,
        "served_graph": graph,
        "created_at": row.created_at,
    }
    return ModelAnswer.model_validate({**row.card, **own})
