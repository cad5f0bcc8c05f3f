"""What a downstream app does: project, key, dataset, uploads, a run, its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from winnow.demo.failures import DemoError
from winnow.demo.sources import Source, Upload
from winnow_client import Client

Json = dict[str, Any]
Show = Callable[[Json], None]


@dataclass(frozen=True, kw_only=True)
class Access:
    """A project of the demo's own with its throw-away key."""

    project_id: str
    key: str


def new_access(api_url: str, operator_key: str, *, name: str) -> Access:
    """Create a project and a key that may write to it."""
    with Client(api_url, operator_key) as operator:
        project = operator.create_project(name)["id"]
        key = operator.create_key(project_id=project, name="demo", role="write")["key"]
    return Access(project_id=project, key=key)


def new_dataset(client: Client, *, name: str, seed: int) -> str:
    """Create a dataset that is split by the uploaded column; return its id."""
    settings = {"split": {"kind": "column", "seed": seed}}
    dataset_id: str = client.create_dataset(name, settings)["id"]
    return dataset_id


def bring_in(client: Client, dataset_id: str, upload: Upload) -> Json:
    """Upload one file, wait for its import and return the job."""
    job = client.upload(
        dataset_id,
        upload.kind,
        upload.open(),
        content_type=upload.content_type,
        content_encoding=upload.content_encoding,
    )
    return client.wait(job["id"], poll=0.2)


def run(client: Client, dataset_id: str, source: Source, *, seed: int, show: Show) -> Json:
    """Start the run, show it until it ends and return its job."""
    job = client.start_run(
        dataset_id,
        method="llmhni",
        backbone="lightgcn",
        params=source.params,
        seed=seed,
        budget_pairs=source.budget_pairs,
    )
    return client.wait(job["id"], show)


def card_of(client: Client, job: Json) -> Json:
    """Return the card of the model that the run published.

    Raises:
        DemoError: there is none.
    """
    named = (job.get("result") or {}).get("model_id")
    if named:
        return client.model(named)
    for model in client.models():
        if model.get("run_id") == job["id"]:
            return client.model(model["id"])
    raise DemoError("The run succeeded but published no model.")
