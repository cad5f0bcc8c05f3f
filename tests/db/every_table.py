"""One row of a project in every table."""

from typing import Any
from uuid import UUID

from services.shared.db.session import unit_of_work
from services.shared.db.tables import (
    ApiKey,
    AuditEntry,
    Candidate,
    Embedding,
    IdempotencyKey,
    Import,
    Interaction,
    Item,
    Model,
    Override,
    OverrideChange,
    Rating,
    RatingBatch,
    RunRating,
    Serving,
    Usage,
    User,
    Verdict,
)
from services.shared.ids import new_id
from tests.db.conftest import make_dataset, make_run

HASH = b"\0" * 32


def fill(project_id: UUID) -> None:
    """Write the rows; what has no meaning here is empty."""
    dataset_id = make_dataset(project_id)
    run_id = make_run(project_id, dataset_id)
    project: dict[str, Any] = {"project_id": project_id}
    pair: dict[str, Any] = {"user_id": "u", "item_id": "i"}
    in_dataset = project | {"dataset_id": dataset_id}
    in_run = project | {"run_id": run_id}
    rating = Rating(
        **in_dataset,
        **pair,
        view="user",
        content_sha256=HASH,
        prompt_version=1,
        llm="l",
        label="High",
        reason="r",
    )
    file = {"spool_name": "x", "size_bytes": 0, "sha256": HASH}
    judged = {"verdict": "hard", "action": "keep", "decided_by": "rule"}
    said = in_dataset | pair | {"verdict": "hard", "dataset_version": 1}
    pointer = {"artifact_path": "x", "manifest_sha256": "x"}
    with unit_of_work(project_id) as session:
        session.add_all(
            [
                ApiKey(**project, name="k", role="read", prefix=new_id().hex, secret_sha256=HASH),
                IdempotencyKey(**project, key="k", request_sha256=HASH),
                Embedding(**project, text_sha256=HASH, model="m", vector=b""),
                User(**in_dataset, id="u", attributes={}),
                Item(**in_dataset, id="i", attributes={}),
                Interaction(**in_dataset, **pair),
                Import(**in_dataset, **file, id=new_id(), kind="users", options={}),
                Candidate(**in_run, **pair, edge=True, score=0.0, history=[]),
                RatingBatch(**in_run, number=0, calls=2),
                Verdict(**in_run, **pair, **judged, edge=True, score=0.0),
                Usage(**in_run, kind="chat", model="m", status="ok", attempt=1),
                Model(
                    **in_dataset,
                    **pointer,
                    run_id=run_id,
                    dataset_version=1,
                    default_graph="raw",
                    card={},
                ),
                Override(**said),
                OverrideChange(**said),
                Serving(**in_dataset, model_id=new_id(), cause="first"),
                AuditEntry(**project, action="verdict.set", actor="key", subject={}),
                rating,
            ]
        )
        session.flush()
        session.add(RunRating(**in_run, **pair, view="user", rating_id=rating.id, cached=False))
