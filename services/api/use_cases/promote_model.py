"""Choose what a dataset serves: promote a model, or go back to what was served before."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared.db.repos import audit, datasets, listings, servings
from services.shared.db.repos.audit import Action, Actor, Deed
from services.shared.db.tables import Dataset, Model, Serving
from services.shared.errors import ConflictError


def promote_model(session: Session, model_id: UUID, *, graph: str | None, actor: Actor) -> Model:
    """Serve the model's lists of `graph`, None for the model's own choice; return the model.

    What is served already stays as it is. NotFoundError also without its dataset.
    """
    model = listings.model(session, model_id)
    dataset = datasets.lock(session, model.dataset_id)
    serve(session, dataset, model, graph=graph, cause="promote", actor=actor)
    return model


def roll_back(session: Session, dataset_id: UUID, *, actor: Actor) -> Model:
    """Serve what was served before and return that model; once more goes back one more.

    ConflictError when nothing else was served before.
    """
    dataset = datasets.lock(session, dataset_id)
    now = servings.in_force(session, dataset)
    goal = None if now is None else servings.before(session, now)
    if now is None or goal is None:
        raise ConflictError(
            "This dataset has served nothing else before: there is nothing to go back to.",
            code="NOTHING_BEFORE",
        )
    model = listings.model(session, goal.model_id)
    return_to(session, dataset, goal, cause="rollback")
    deed = _deed("dataset.rollback", dataset, now, model, goal.graph)
    audit.add(session, actor, deed, project_id=dataset.project_id)
    return model


def serve(
    session: Session,
    dataset: Dataset,
    model: Model,
    *,
    graph: str | None,
    cause: str,
    actor: Actor | None,
) -> bool:
    """Move the pointer of a locked dataset; say whether it stood elsewhere.

    Without an `actor` the caller writes down what it does as a whole.
    """
    now = servings.in_force(session, dataset)
    if now is not None and (now.model_id, now.graph) == (model.id, graph):
        return False
    previous = None if now is None else now.id
    servings.move(
        session, dataset, model_id=model.id, graph=graph, cause=cause, previous_id=previous
    )
    if actor is not None:
        deed = _deed("model.promote", dataset, now, model, graph)
        audit.add(session, actor, deed, project_id=dataset.project_id)
    return True


def return_to(session: Session, dataset: Dataset, goal: Serving, *, cause: str) -> None:
    """Serve again what `goal` says, as if all after it had not been."""
    servings.move(
        session,
        dataset,
        model_id=goal.model_id,
        graph=goal.graph,
        cause=cause,
        previous_id=goal.previous_id,
    )


def _deed(
    action: Action, dataset: Dataset, before: Serving | None, model: Model, graph: str | None
) -> Deed:
    was = None if before is None else {"model_id": str(before.model_id), "graph": before.graph}
    subject: dict[str, Any] = {
        "model_id": str(model.id),
        "graph": graph,
        "run_id": str(model.run_id),
        "before": was,
    }
    return Deed(action=action, dataset_id=dataset.id, subject=subject)
