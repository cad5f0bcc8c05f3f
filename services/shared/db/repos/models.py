"""What a run leaves behind: its stages' files, its model, and a dataset's pointer to one."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from services.shared.artifacts import Manifest
from services.shared.db.repos import audit, servings
from services.shared.db.repos.audit import SYSTEM, Deed
from services.shared.db.tables import Dataset, Model, Run
from services.shared.ids import new_id


def keep_files(session: Session, run_id: UUID, stage: str, manifest: Manifest) -> None:
    """Note where `stage` left its files; the last note of a stage stands."""
    pointer = literal({"path": manifest.path, "sha256": manifest.sha256}, JSONB)
    session.execute(
        update(Run)
        .where(Run.id == run_id)
        .values(artifacts=Run.artifacts.op("||")(func.jsonb_build_object(stage, pointer)))
    )


def create(
    session: Session,
    run: Run,
    *,
    dataset_version: int,
    default_graph: str,
    card: dict[str, Any],
    manifest: Manifest,
) -> Model:
    """Return the run's model, flushed; its files are those of the manifest."""
    model = Model(
        id=new_id(),
        project_id=run.project_id,
        dataset_id=run.dataset_id,
        run_id=run.id,
        dataset_version=dataset_version,
        default_graph=default_graph,
        card=card,
        artifact_path=manifest.path,
        manifest_sha256=manifest.sha256,
    )
    session.add(model)
    session.flush()
    return model


def serve_if_first(session: Session, model: Model) -> bool:
    """Let the dataset serve the model if it serves none yet; say whether it does now.

    A later model is promoted by a person or not at all: automatic promotion is off.
    """
    free = Dataset.id == model.dataset_id, Dataset.current_model_id.is_(None)
    query = select(Dataset).where(*free).with_for_update(key_share=True)
    dataset = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if dataset is None:
        return False
    servings.move(session, dataset, model_id=model.id, graph=None, cause="first", previous_id=None)
    subject = {
        "model_id": str(model.id),
        "graph": None,
        "run_id": str(model.run_id),
        "before": None,
    }
    deed = Deed(action="model.promote", dataset_id=dataset.id, subject=subject)
    audit.add(session, SYSTEM, deed, project_id=model.project_id)
    return True
