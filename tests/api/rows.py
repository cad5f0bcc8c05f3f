"""Rows that a finished run leaves, written as the trainer and the raters would."""

from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, update

from services.shared import toplists
from services.shared.artifacts import ArtifactStore
from services.shared.db.repos import jobs, stages
from services.shared.db.session import unit_of_work
from services.shared.db.tables import (
    Candidate,
    Dataset,
    Model,
    Rating,
    Run,
    RunRating,
    Stage,
    Usage,
    Verdict,
)
from services.shared.ids import new_id

VIEWS = ("user", "item")


def add_run(
    project_id: UUID,
    dataset_id: UUID,
    *,
    state: str = "running",
    spec: dict[str, Any] | None = None,
) -> UUID:
    """Return the id of a new run in that state."""
    run_id = new_id()
    with unit_of_work(project_id) as session:
        jobs.create(session, "run", job_id=run_id, project_id=project_id, dataset_id=dataset_id)
        session.add(
            Run(
                id=run_id,
                project_id=project_id,
                dataset_id=dataset_id,
                dataset_version=3,
                dataset_settings={},
                spec=spec or {},
                config_sha256=b"",
                seed=0,
                llm="winnow-local-rater",
                embedder="winnow-local-encoder",
                prompt_version=1,
                artifacts={},
            )
        )
        session.flush()
        stages.create_all(session, run_id=run_id, project_id=project_id)
        if state != "running":
            jobs.end(session, run_id, state)
        else:
            jobs.start(session, run_id)
    return run_id


def set_stage(project_id: UUID, run_id: UUID, name: str, **values: object) -> None:
    """Write on a stage's row; `seconds` says how long ago it started."""
    ago = values.pop("seconds", None)
    if ago is not None:
        values["started_at"] = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, ago)
    with unit_of_work(project_id) as session:
        session.execute(
            update(Stage).where(Stage.run_id == run_id, Stage.name == name).values(**values)
        )


def add_pair(
    project_id: UUID,
    dataset_id: UUID,
    run_id: UUID,
    *,
    pair: tuple[str, str],
    labels: tuple[str | None, str | None],
    verdict: str,
    action: str = "none",
    edge: bool = True,
    score: float = 0.0,
    note: str | None = None,
) -> None:
    """Write a candidate, its ratings (None: that view has none) and its verdict."""
    user_id, item_id = pair
    with unit_of_work(project_id) as session:
        where = {"run_id": run_id, "project_id": project_id, "user_id": user_id, "item_id": item_id}
        session.add(Candidate(**where, edge=edge, score=score, history=[]))
        outcome = {"verdict": verdict, "action": action, "decided_by": "rule", "note": note}
        session.add(Verdict(**where, **outcome, edge=edge, score=score))
        for view, label in zip(VIEWS, labels, strict=True):
            if label is None:
                continue
            rating = Rating(
                project_id=project_id,
                dataset_id=dataset_id,
                user_id=user_id,
                item_id=item_id,
                view=view,
                content_sha256=new_id().bytes,
                repeat=0,
                prompt_version=1,
                llm="winnow-local-rater",
                label=label,
                reason=f"{view} view says {label}",
            )
            session.add(rating)
            session.flush()
            session.add(RunRating(**where, view=view, rating_id=rating.id, cached=False))


def add_usage(project_id: UUID, run_id: UUID, model: str, *, prompt: int, completion: int) -> None:
    """Write one attempt at a chat call."""
    with unit_of_work(project_id) as session:
        session.add(
            Usage(
                project_id=project_id,
                run_id=run_id,
                kind="chat",
                model=model,
                status="ok",
                attempt=1,
                prompt_tokens=prompt,
                completion_tokens=completion,
            )
        )


Rows = dict[str, list[tuple[str, float, list[str]]]]


def add_model(
    store: ArtifactStore,
    project_id: UUID,
    dataset_id: UUID,
    *,
    raw: Rows,
    denoised: Rows,
    serve: bool = True,
) -> UUID:
    """Publish lists of both graphs as the trainer does; return the model's id."""
    run_id, model_id = add_run(project_id, dataset_id, state="succeeded"), new_id()
    with store.writing(f"models/{run_id}") as draft:
        for graph, rows in (("raw", raw), ("denoised", denoised)):
            _write_lists(draft.folder / f"lists-{graph}.bin", rows)
        (draft.folder / "card.json").write_text("{}", encoding="utf-8")
    with unit_of_work(project_id) as session:
        session.add(
            Model(
                id=model_id,
                project_id=project_id,
                dataset_id=dataset_id,
                run_id=run_id,
                dataset_version=3,
                default_graph="denoised",
                card={"metrics": {"raw": {}, "denoised": {}}, "default_graph": "denoised"},
                artifact_path=draft.manifest.path,
                manifest_sha256=draft.manifest.sha256,
            )
        )
    if serve:
        point_to(project_id, dataset_id, model_id)
    return model_id


def point_to(project_id: UUID, dataset_id: UUID, model_id: UUID) -> None:
    """Move the dataset's pointer."""
    with unit_of_work(project_id) as session:
        session.execute(
            update(Dataset).where(Dataset.id == dataset_id).values(current_model_id=model_id)
        )


def _write_lists(path: Path, rows: Rows) -> None:
    popular = [("popular 1", 9.0, []), ("popular 2", 8.0, [])]
    toplists.write(path, rows.items(), length=10, popular=popular)
