"""A stage that finds a disk full pauses its run, and goes on once there is room."""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from services.api.use_cases.steer_job import pause_job, resume_job, retry_job
from services.shared.db.repos import jobs, stages
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Job, Stage
from services.shared.settings import settings
from services.shared.stages import StageName
from services.trainer import child, tasks, workspace
from services.trainer.supervise import Ending
from tests.trainer.shop import Shop
from tests.trainer.test_supervise import (
    _await_progress,
    _children,
    _endless_training,
    _stage,
    _supervised,
)

pytestmark = pytest.mark.stack

SMALL = 4_096  # bytes; a snapshot of the shop has larger files


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch, trainer: Path) -> None:
    assert trainer.exists()
    monkeypatch.setenv("WINNOW_DISK_ROOM_BYTES", "20000")
    settings.cache_clear()


@contextmanager
def _full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the stages' processes, and this one, write no file beyond SMALL."""
    command = child._command
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with monkeypatch.context() as patched:
        limit = ["prlimit", f"--fsize={SMALL}:"]
        patched.setattr(child, "_command", lambda lease: [*limit, *command(lease)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _enter(shop: Shop, run_id: UUID, name: StageName) -> None:
    ids = {"id": str(run_id), "project_id": str(shop.project_id)}
    tasks.enter(name, {"v": 1, **ids, "request_id": None})


def _job(shop: Shop, run_id: UUID) -> Job:
    with unit_of_work(shop.project_id) as session:
        return session.get_one(Job, run_id)


def _row(shop: Shop, run_id: UUID, name: StageName) -> Stage:
    with unit_of_work(shop.project_id) as session:
        return next(s for s in stages.of_run(session, run_id) if s.name == name.value)


def _let_time_pass(shop: Shop) -> None:
    with unit_of_work(shop.project_id) as session:
        session.execute(text("UPDATE stages SET retry_at = now() WHERE retry_at IS NOT NULL"))


def test_a_full_disk_pauses_the_run_until_there_is_room(
    shop: Shop, trainer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = shop.start_run()
    with _full_disk(monkeypatch):
        _enter(shop, run_id, StageName.SNAPSHOT)
        job = _job(shop, run_id)
        assert job.state == "paused"
        assert job.pause is not None
        assert (job.pause["code"], job.pause["stage"]) == ("DISK_FULL", "snapshot")
        assert "WINNOW_SPOOL_DIR" in job.pause["detail"]
        assert _row(shop, run_id, StageName.SNAPSHOT).attempts == 0
        assert not list((trainer / "artifacts").rglob("manifest.json"))
        _enter(shop, run_id, StageName.SNAPSHOT)  # too soon
        _let_time_pass(shop)
        _enter(shop, run_id, StageName.SNAPSHOT)  # no room yet: no process is started
        assert _job(shop, run_id).state == "paused"
        assert _row(shop, run_id, StageName.SNAPSHOT).attempts == 0
    _let_time_pass(shop)
    _enter(shop, run_id, StageName.SNAPSHOT)
    job = _job(shop, run_id)
    assert (job.state, job.pause) == ("running", None)
    assert shop.state(run_id, StageName.SNAPSHOT) == "succeeded"
    assert shop.artifact(run_id, StageName.SNAPSHOT) is not None


def test_a_person_pauses_a_training_and_it_goes_on_from_its_last_epoch(shop: Shop) -> None:
    lease = _endless_training(shop)
    with _supervised(lease, threading.Event()) as endings:
        _await_progress(lease)
        with unit_of_work(shop.project_id) as session:
            pause_job(session, lease.run_id)
    assert endings == [Ending.PAUSED]
    assert _children() == set()
    assert (_stage(lease).state, _stage(lease).attempts) == ("ready", 0)
    assert workspace.kept(lease.run_id)  # its checkpoint waits
    _enter(shop, lease.run_id, lease.name)
    assert _stage(lease).state == "ready"  # nothing begins before somebody says so
    with unit_of_work(shop.project_id) as session:
        assert resume_job(session, lease.run_id).state == "running"
        assert stages.claim(session, lease.run_id, lease.name) is not None


def test_a_failed_stage_is_tried_again_and_what_had_succeeded_is_not(shop: Shop) -> None:
    run_id = shop.start_run(settings={"positive": "value>=6"})
    _enter(shop, run_id, StageName.SNAPSHOT)
    assert _job(shop, run_id).state == "failed"
    with unit_of_work(shop.project_id) as session:
        session.execute(text("UPDATE runs SET dataset_settings = '{}'"))  # as if it were mended
        assert retry_job(session, run_id, is_kept=lambda _: False).state == "queued"
    _enter(shop, run_id, StageName.SNAPSHOT)
    assert shop.state(run_id, StageName.SNAPSHOT) == "succeeded"
    first = shop.artifact(run_id, StageName.SNAPSHOT)
    with unit_of_work(shop.project_id) as session:
        stages.cancel_run(session, run_id)
        assert jobs.state(session, run_id) == "cancelled"
    with unit_of_work(shop.project_id) as session:
        retry_job(session, run_id, is_kept=lambda _: False)
    assert shop.artifact(run_id, StageName.SNAPSHOT) == first
    assert shop.state(run_id, StageName.SNAPSHOT) == "succeeded"
    assert shop.state(run_id, StageName.EMBED) == "ready"
