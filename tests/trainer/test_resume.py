"""Training that was cut off by kill -9 ends with the bytes of a training that was not."""

import os
import signal
import time
from uuid import UUID

import pytest
from sqlalchemy import text

from services.shared.artifacts import ArtifactStore
from services.shared.db.repos.stages import StageLease
from services.shared.db.session import unit_of_work
from services.shared.settings import settings
from services.shared.stages import StageName
from services.trainer import child, workspace
from services.trainer.perform import perform
from tests.trainer.shop import Shop

pytestmark = pytest.mark.stack

LONG = {"epochs": 50, "patience": 1000}
STAGE = StageName.TRAIN_RAW


def _ready_to_train(shop: Shop) -> UUID:
    run_id = shop.start_run(LONG)
    perform(shop.claim(run_id, StageName.SNAPSHOT))
    with unit_of_work(shop.project_id) as session:
        session.execute(text("UPDATE stages SET state = 'ready' WHERE name = 'train_raw'"))
    return run_id


def _trained(shop: Shop, run_id: UUID) -> dict[str, str]:
    pointer = shop.artifact(run_id, STAGE)
    assert pointer is not None
    manifest = ArtifactStore(settings().require("artifacts_url")).read_manifest(pointer["path"])
    return {name: entry.sha256 for name, entry in manifest.files.items()}


def _checkpoints(run_id: UUID) -> int:
    return len(list(workspace.folder(run_id, STAGE.value).glob("history-*.safetensors")))


def _kill_in_the_middle(lease: StageLease) -> None:
    with child.started(lease) as process:
        deadline = time.monotonic() + 90
        while _checkpoints(lease.run_id) < 3 and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(5) == -signal.SIGKILL


def test_a_killed_training_goes_on_and_ends_with_the_same_bytes(shop: Shop) -> None:
    unbroken = _ready_to_train(shop)
    perform(shop.claim(unbroken, STAGE))
    broken = _ready_to_train(shop)
    _kill_in_the_middle(shop.claim(broken, STAGE))
    survived = _checkpoints(broken)
    assert 3 <= survived < 50
    with unit_of_work(shop.project_id) as session:
        session.execute(text("UPDATE stages SET lease_until = now() - interval '1 second'"))
    perform(shop.claim(broken, STAGE))
    trained = _trained(shop, broken)
    assert set(trained) == {"model.safetensors", "history.safetensors", "epochs.json"}
    assert trained == _trained(shop, unbroken)
