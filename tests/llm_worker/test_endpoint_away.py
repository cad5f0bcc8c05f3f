"""The endpoint's process goes and comes back while a worker of its own rates."""

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

PAIRS = 120
PATIENCE = 150  # seconds; a busy machine starts a worker slowly


def test_a_run_waits_for_an_endpoint_that_is_gone_and_ends_by_itself(
    worker: Path, shelf: Shelf, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "LLM__BASE_URL": f"http://127.0.0.1:{free_port}/v1",
        "OUTGOING_ALLOW": f"127.0.0.1:{free_port}",
        "LLM__MAX_ATTEMPTS": "2",
        "LEASE_SECONDS": "2",
        "RETRY_FIRST_SECONDS": "0.2",
        "RETRY_LONGEST_SECONDS": "0.5",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"WINNOW_{name}", value)
    settings.cache_clear()
    run_id = shelf.start_run(pairs=PAIRS)
    shelf.execute("UPDATE stages SET state = 'succeeded' WHERE name = 'embed'")
    asked = 0
    with running(worker / "worker.log"):
        with FakeLlm.serving(free_port) as llm:
            llm.latency = 0.05
            broker.send(broker.Message(Task.RATE, str(run_id), str(shelf.project_id), None))
            until(lambda: len(shelf.labels(run_id)) >= PAIRS // 2, seconds=PATIENCE)
        asked += len(llm.chats())
        until(lambda: shelf.job(run_id).state == "paused", seconds=PATIENCE, sweeping=True)
        pause = shelf.job(run_id).pause
        assert pause is not None
        assert (pause["code"], pause["stage"]) == ("LLM_AWAY", "rate")
        kept = len(shelf.labels(run_id))
        assert kept < 2 * PAIRS
        with FakeLlm.serving(free_port) as llm:
            until(
                lambda: shelf.stage(run_id, StageName.RATE).state == "succeeded",
                seconds=PATIENCE,
                sweeping=True,
            )
        asked += len(llm.chats())
    assert (shelf.job(run_id).state, shelf.job(run_id).pause) == ("running", None)
    assert len(shelf.labels(run_id)) == 2 * PAIRS
    assert set(shelf.ratings().values()) == {1}
    attempts = shelf.attempts(run_id)
    # calls that were under way when the endpoint went are made again; knocks are calls too
    in_flight, knocks = 8, asked - 2 * PAIRS
    assert 0 < knocks <= in_flight + attempts["ok"] - 2 * PAIRS
