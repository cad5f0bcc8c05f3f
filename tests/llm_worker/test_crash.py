"""A worker that is killed costs the calls in flight and one flush, and nothing else."""

from pathlib import Path

import pytest

from services.shared import broker
from services.shared.queues import Task
from services.shared.settings import settings
from services.shared.stages import StageName
from tests.fakes.llm import FakeLlm
from tests.llm_worker.shelf import Shelf
from tests.llm_worker.worker_process import running, until

pytestmark = pytest.mark.stack

IN_FLIGHT, FLUSH, PAIRS = 8, 10, 120


def _send(shelf: Shelf, task: Task, run_id: object) -> None:
    broker.send(broker.Message(task, str(run_id), str(shelf.project_id), None))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases of a second, so that what a dead worker held is soon another's."""
    monkeypatch.setenv("WINNOW_LEASE_SECONDS", "1")
    monkeypatch.setenv("WINNOW_FLUSH_ANSWERS", str(FLUSH))
    settings.cache_clear()


def test_a_worker_killed_in_the_middle_is_taken_over(
    worker: Path, impatient: None, shelf: Shelf, llm: FakeLlm
) -> None:
    undisturbed = shelf.start_run(pairs=PAIRS)
    shelf.rate(undisturbed)
    expected, asked = shelf.labels(undisturbed), len(llm.chats())
    assert asked == len(expected) == 2 * PAIRS

    other = Shelf.open()  # another dataset: nothing is found in the cache
    run_id = other.start_run(pairs=PAIRS)
    llm.latency = 0.1
    log = worker / "worker.log"
    with running(log) as process:
        _send(other, Task.RATE, run_id)
        until(lambda: len(other.labels(run_id)) >= PAIRS // 2)
        process.kill()
    kept = len(other.labels(run_id))
    assert kept < 2 * PAIRS
    llm.latency = 0.0
    with running(log):
        until(lambda: other.stage(run_id, StageName.RATE).state == "succeeded", sweeping=True)
    assert other.labels(run_id) == expected
    assert set(other.ratings().values()) == {1}
    extra = len(llm.chats()) - asked - 2 * PAIRS
    assert 0 <= extra <= IN_FLIGHT + FLUSH
    assert "book 1" not in log.read_text()


def test_a_worker_told_to_stop_gives_its_batches_back(
    worker: Path, impatient: None, shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = shelf.start_run(pairs=PAIRS)
    llm.latency = 0.1
    with running(worker / "worker.log") as process:
        _send(shelf, Task.RATE, run_id)
        until(lambda: len(shelf.labels(run_id)) >= PAIRS // 2)
        process.terminate()
        assert process.wait(20) == 0
    kept = len(shelf.labels(run_id))
    assert PAIRS // 2 <= kept == len(llm.chats()) < 2 * PAIRS  # every call that was paid is kept
    with running(worker / "worker.log"):
        until(lambda: shelf.stage(run_id, StageName.RATE).state == "succeeded", sweeping=True)
    assert len(llm.chats()) == 2 * PAIRS
