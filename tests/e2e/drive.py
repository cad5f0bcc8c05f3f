"""What a downstream app does with the client: upload three files, start a run, wait for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.shop import TYPES, Shop
from winnow_client import Client

Json = dict[str, Any]

SETTINGS = {"split": {"kind": "column"}}
PARAMS = {"d": 16, "epochs": 4, "n1": 1, "n2": 2}
RUN: Json = {"params": PARAMS, "seed": 5, "budget_pairs": 400}
PATIENCE = 600.0  # seconds that a job may take where the machine is busy with other things


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A dataset with its three finished imports, by kind."""

    dataset_id: str
    imports: dict[str, Json]


@dataclass(kw_only=True)
class Watched:
    """A run's job as it ended, and every state of it that was seen on the way."""

    job: Json
    seen: list[Json] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Return the run's id, which is its job's."""
        return str(self.job["id"])

    def stage(self, name: str) -> Json:
        """Return one stage as it ended."""
        return next(stage for stage in self.job["stages"] if stage["name"] == name)


def fill(client: Client, shop: Shop, *, name: str) -> Filled:
    """Create a dataset, upload users, items and interactions, and wait for each."""
    dataset_id = client.create_dataset(name, SETTINGS)["id"]
    imports = {}
    for kind, content_type in TYPES.items():
        job = client.upload(dataset_id, kind, shop.file(kind), content_type=content_type)
        imports[kind] = client.wait(job["id"], _until_tired([]), poll=0.2)
    return Filled(dataset_id=dataset_id, imports=imports)


def watch(client: Client, job: Json) -> Watched:
    """Wait until the run has succeeded; JobFailedError says why it did not."""
    watched = Watched(job=job)
    watched.job = client.wait(job["id"], _until_tired(watched.seen), poll=0.2)
    return watched


def _until_tired(seen: list[Json]) -> Callable[[Json], None]:
    deadline = time.monotonic() + PATIENCE

    def look(job: Json) -> None:
        seen.append(job)
        stages = [(stage["name"], stage["state"]) for stage in job["stages"]]
        assert time.monotonic() < deadline, f"{job['kind']} is still {job['state']}: {stages}"

    return look
