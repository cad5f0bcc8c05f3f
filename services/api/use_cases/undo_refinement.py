"""Take back what a run did to the graph: at once where it is served, and for later runs."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from services.api.use_cases.promote_model import return_to, serve
from services.shared.db.repos import audit, datasets, listings, overrides, runs, servings
from services.shared.db.repos.audit import Action, Actor, Deed
from services.shared.db.tables import Dataset, Model

RAW = "raw"
SOFT = "soft"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How many pairs it came to, whether other lists are served now, and the version now."""

    model: Model
    pairs: int
    serving_changed: bool
    version: int


def undo_refinement(session: Session, model_id: UUID, *, note: str | None, actor: Actor) -> Outcome:
    """Serve the raw graph's lists if this model is served, and say `unsure` of what it changed.

    Of such a pair no later run changes anything, nor pays for it; pairs that a person has spoken
    of stay as they are. A second undo finds nothing left to do.
    """
    model = listings.model(session, model_id)
    dataset = datasets.lock(session, model.dataset_id)
    changed = False
    if dataset.current_model_id == model.id and _graph(dataset, model) != RAW:
        changed = serve(session, dataset, model, graph=RAW, cause="undo", actor=None)
    params = runs.get(session, model.run_id).spec.get("params")
    soft = isinstance(params, dict) and params.get("rule") == SOFT
    why = note or f"undo of run {model.run_id}"
    pairs = overrides.protect(session, dataset, model.run_id, actor, note=why, soft=soft)
    return _told(session, "refinement.undo", dataset, model, pairs, changed=changed, actor=actor)


def redo_refinement(session: Session, model_id: UUID, *, note: str | None, actor: Actor) -> Outcome:
    """Take the undo back: its words that stand unchanged, and the raw lists if it chose them."""
    model = listings.model(session, model_id)
    dataset = datasets.lock(session, model.dataset_id)
    changed = False
    now = servings.in_force(session, dataset)
    if now is not None and (now.cause, now.model_id) == ("undo", model.id):
        before = servings.before(session, now)
        if before is not None:
            return_to(session, dataset, before, cause="redo")
            changed = True
    why = note or f"redo of run {model.run_id}"
    pairs = overrides.release(session, dataset, model.run_id, actor, note=why)
    return _told(session, "refinement.redo", dataset, model, pairs, changed=changed, actor=actor)


def _graph(dataset: Dataset, model: Model) -> str:
    return dataset.current_graph or model.default_graph


def _told(
    session: Session,
    action: Action,
    dataset: Dataset,
    model: Model,
    pairs: int,
    *,
    changed: bool,
    actor: Actor,
) -> Outcome:
    if pairs:
        dataset.version += 1
        session.flush()
    if pairs or changed:
        subject = {
            "model_id": str(model.id),
            "run_id": str(model.run_id),
            "pairs": pairs,
            "serving_changed": changed,
        }
        deed = Deed(action=action, dataset_id=dataset.id, subject=subject)
        audit.add(session, actor, deed, project_id=dataset.project_id)
    return Outcome(model=model, pairs=pairs, serving_changed=changed, version=dataset.version)
