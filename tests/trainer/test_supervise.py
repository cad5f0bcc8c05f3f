"""A stage's process is ended, released, retried or believed, and never outlives its right."""

import base64
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psutil
import pytest
import redis
from sqlalchemy import text

from services.shared.db.repos import jobs, stages
from services.shared.db.repos.stages import StageLease
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Stage
from services.shared.settings import settings
from services.shared.stages import StageName
from services.trainer import child, tasks, workspace
from services.trainer.child import Child
from services.trainer.perform import perform
from services.trainer.supervise import Ending, _watch, admit, supervise
from tests.trainer.shop import Shop

pytestmark = pytest.mark.stack

PATIENCE = 90  # seconds; a busy machine imports torch slowly
ENDLESS = {"epochs": 10_000, "patience": 10_000}


@contextmanager
def _supervised(lease: StageLease, stopping: threading.Event) -> Iterator[list[Ending]]:
    """Supervise in a thread, as the worker's pool does; the ending is there after the block."""
    endings: list[Ending] = []
    thread = threading.Thread(target=lambda: endings.append(supervise(lease, stopping)))
    thread.start()
    try:
        yield endings
    finally:
        thread.join(PATIENCE)
        stopping.set()
        thread.join()


def _endless_training(shop: Shop) -> StageLease:
    """Return a lease on a stage that would train for hours: train_raw, ready to begin."""
    run_id = shop.start_run(ENDLESS)
    perform(shop.claim(run_id, StageName.SNAPSHOT))
    with unit_of_work(shop.project_id) as session:
        session.execute(text("UPDATE stages SET state = 'ready' WHERE name = 'train_raw'"))
    return shop.claim(run_id, StageName.TRAIN_RAW)


def _stage(lease: StageLease) -> Stage:
    with unit_of_work(lease.project_id) as session:
        return next(s for s in stages.of_run(session, lease.run_id) if s.name == lease.name.value)


def _await_progress(lease: StageLease) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if _stage(lease).progress["completed"] > 1:
            return
        time.sleep(0.05)
    raise AssertionError("the stage made no progress")


def _await_child() -> int:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := _children():
            return found.pop()
        time.sleep(0.02)
    raise AssertionError("no process was started")


def _children() -> set[int]:
    """Return the stages' processes that this test process has."""
    alive = [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]
    return {one.pid for one in alive if "services.trainer.stage" in one.cmdline()}


def _alive(process: psutil.Process) -> bool:
    """Say whether it runs; an orphan may stay a zombie where nobody reaps."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_cancelled_run_ends_its_process(shop: Shop) -> None:
    lease = _endless_training(shop)
    with _supervised(lease, threading.Event()) as endings:
        _await_child()
        with unit_of_work(shop.project_id) as session:
            stages.cancel_run(session, lease.run_id)
    assert endings == [Ending.CANCELLED]
    assert _children() == set()
    assert _stage(lease).state == "cancelled"
    with unit_of_work(shop.project_id) as session:
        assert jobs.state(session, lease.run_id) == "cancelled"
    assert workspace.kept(lease.run_id) == []


def test_a_killed_process_is_retried_goes_on_and_is_given_back_on_stop(shop: Shop) -> None:
    lease = _endless_training(shop)
    with redis.Redis.from_url(settings().require("redis_url")) as broker:
        broker.flushall()
        with _supervised(lease, threading.Event()) as endings:
            _await_progress(lease)
            (pid,) = _children()
            os.kill(pid, signal.SIGKILL)
        waiting = broker.llen("train")
    assert endings == [Ending.KILLED]
    assert waiting == 1  # sent again at once
    assert _stage(lease).state == "ready"
    reached = _stage(lease).progress["completed"]
    again = admit(lease.run_id, lease.name, project_id=lease.project_id)
    assert again is not None
    assert (again.attempt, again.token) == (lease.attempt + 1, lease.token + 1)
    stopping = threading.Event()
    with _supervised(again, stopping) as endings:
        deadline = time.monotonic() + PATIENCE
        while _stage(again).progress["completed"] <= reached and time.monotonic() < deadline:
            time.sleep(0.05)
        stopping.set()  # as when the worker is told to stop
    assert endings == [Ending.STOPPED]
    assert _stage(again).progress["completed"] > reached
    assert _stage(again).state == "ready"
    assert workspace.kept(lease.run_id)  # what was learned waits for the next attempt


def test_a_stage_that_is_killed_every_time_fails_in_the_end(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_STAGE_ATTEMPTS", "1")
    settings.cache_clear()
    lease = _endless_training(shop)
    with _supervised(lease, threading.Event()) as endings:
        os.kill(_await_child(), signal.SIGKILL)
    assert endings == [Ending.KILLED]
    error = _stage(lease).error
    assert error is not None
    assert error["code"] == "STAGE_KILLED"
    assert "begun 1 times" in error["detail"]


def test_a_lost_lease_ends_the_process_and_nothing_is_written(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_LEASE_SECONDS", "3")
    settings.cache_clear()
    lease = _endless_training(shop)
    with _supervised(lease, threading.Event()) as endings:
        _await_child()
        with unit_of_work(shop.project_id) as session:  # another worker took it over
            session.execute(
                text("UPDATE stages SET lease_token = lease_token + 1 WHERE name = 'train_raw'")
            )
    assert endings == [Ending.LOST]
    assert _children() == set()
    assert shop.artifact(lease.run_id, lease.name) is None
    assert _stage(lease).state == "running"  # the other's


def test_a_process_that_has_ended_its_stage_is_given_time_to_go() -> None:
    lost = threading.Event()
    lost.set()  # the next renewal found the stage ended, and no lease on it
    lease = StageLease(UUID(int=1), StageName.SNAPSHOT, UUID(int=2), token=1, attempt=1)
    with subprocess.Popen(["sleep", "1.5"], stdout=subprocess.PIPE) as slow:  # noqa: S607 - found by PATH
        assert _watch(Child(slow), lease, lost, threading.Event()) is Ending.FINISHED


def test_a_run_cancelled_between_two_attempts_leaves_no_files(shop: Shop) -> None:
    lease = _endless_training(shop)
    (workspace.folder(lease.run_id, lease.name.value) / "checkpoint").touch()  # its worker died
    with unit_of_work(shop.project_id) as session:
        session.execute(text("UPDATE stages SET lease_until = now() - interval '1 second'"))
        stages.cancel_run(session, lease.run_id)
    assert admit(lease.run_id, lease.name, project_id=lease.project_id) is None
    assert _stage(lease).state == "cancelled"
    assert workspace.kept(lease.run_id) == []


def test_what_a_stage_kept_for_another_attempt_goes_when_it_ends(shop: Shop) -> None:
    run_id = shop.start_run()
    (workspace.folder(run_id, "pretrain") / "checkpoint").touch()  # beside it, at work
    perform(shop.claim(run_id, StageName.SNAPSHOT))
    assert workspace.kept(run_id) == [workspace.folder(run_id, "pretrain")]


def test_a_deleted_run_takes_its_process_and_its_files_along(shop: Shop) -> None:
    lease = _endless_training(shop)
    with _supervised(lease, threading.Event()) as endings:
        _await_child()
        with unit_of_work(shop.project_id) as session:
            session.execute(text("DELETE FROM jobs"))
    assert endings[0] in {Ending.CANCELLED, Ending.LOST}  # whoever notices first
    assert _children() == set()
    assert workspace.kept(lease.run_id) == []


def test_a_failed_stage_tells_its_reason_and_no_trace(shop: Shop) -> None:
    run_id = shop.start_run(settings={"positive": "value>=6"})
    lease = shop.claim(run_id, StageName.SNAPSHOT)
    assert supervise(lease, threading.Event()) is Ending.FAILED
    error = _stage(lease).error
    assert error is not None
    assert error["code"] == "TOO_SMALL"
    assert "Traceback" not in error["detail"]
    with unit_of_work(shop.project_id) as session:
        job = jobs.get(session, run_id)
        assert (job.state, job.error) == ("failed", {**error, "stage": "snapshot"})


def test_a_message_is_done_once_and_dropped_the_second_time(shop: Shop) -> None:
    run_id = shop.start_run()
    message = {
        "v": 1,
        "id": str(run_id),
        "project_id": str(shop.project_id),
        "request_id": None,
    }
    tasks.enter(StageName.SNAPSHOT, message)
    assert shop.state(run_id, StageName.SNAPSHOT) == "succeeded"
    first = shop.artifact(run_id, StageName.SNAPSHOT)
    tasks.enter(StageName.SNAPSHOT, message)
    assert shop.artifact(run_id, StageName.SNAPSHOT) == first
    assert _stage(StageLease(run_id, StageName.SNAPSHOT, shop.project_id, 1, 1)).attempts == 1


def test_the_request_that_started_a_run_is_named_in_all_its_messages(shop: Shop) -> None:
    run_id = shop.start_run()
    ids = {"id": str(run_id), "project_id": str(shop.project_id), "request_id": "asked-by-a-test"}
    with redis.Redis.from_url(settings().require("redis_url")) as broker:
        broker.flushall()
        tasks.enter(StageName.SNAPSHOT, {"v": 1, **ids})
        sent = [
            json.loads(raw) for queue in ("rate", "train") for raw in broker.lrange(queue, 0, 9)
        ]
    told = [json.loads(base64.b64decode(one["body"]))[1]["message"] for one in sent]
    assert {one["headers"]["task"] for one in sent} == {"stage.embed", "stage.pretrain"}
    assert [one["request_id"] for one in told] == ["asked-by-a-test"] * 2


def test_a_message_of_another_version_is_left_to_the_sweep(shop: Shop) -> None:
    run_id = shop.start_run()
    message = {"v": 2, "id": str(run_id), "project_id": str(shop.project_id), "request_id": None}
    tasks.enter(StageName.SNAPSHOT, message)
    assert shop.state(run_id, StageName.SNAPSHOT) == "ready"


def test_a_child_does_not_outlive_its_parent(shop: Shop) -> None:
    lease = _endless_training(shop)
    parent = os.fork()
    if parent == 0:  # a worker that is killed while its stage runs
        with child.started(lease):
            time.sleep(2 * PATIENCE)
        os._exit(0)
    try:
        _await_progress(lease)
        (stage,) = psutil.Process(parent).children()
    finally:
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
    deadline = time.monotonic() + PATIENCE
    while _alive(stage) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(stage)


def test_every_stage_of_the_worker_has_a_doorway() -> None:
    assert {name.value for name in StageName} - {name.value for name in tasks.STAGES} == {
        "embed",
        "rate",
    }


def test_a_run_without_a_row_is_dropped(shop: Shop) -> None:
    assert admit(UUID(int=1), StageName.SNAPSHOT, project_id=shop.project_id) is None
