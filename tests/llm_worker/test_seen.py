"""A worker that runs is seen: it serves its counts, and says in Valkey that it takes messages."""

from pathlib import Path

import httpx
import pytest

from services.shared import broker, presence
from services.shared.db.repos import events
from services.shared.db.session import unit_of_work
from services.shared.metrics import OFFSETS
from services.shared.queues import Queue, Task
from services.shared.settings import settings
from services.shared.stages import StageName
from tests.llm_worker.shelf import Shelf
from tests.llm_worker.worker_process import running, until

pytestmark = pytest.mark.stack
PAIRS = 20


def test_a_worker_counts_its_calls_flushes_and_tasks_and_tells_that_it_is_there(
    worker: Path, shelf: Shelf, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_METRICS_PORT", str(free_port))
    settings.cache_clear()
    run_id = shelf.start_run(pairs=PAIRS)
    with running(worker / "worker.log"), presence.connect() as valkey:
        broker.send(broker.Message(Task.RATE, str(run_id), str(shelf.project_id), None))
        until(
            lambda: shelf.stage(run_id, StageName.RATE).state == "succeeded",
            seconds=120,
            sweeping=True,
        )
        until(lambda: Queue.RATE not in presence.missing(valkey), seconds=120)
        url = f"http://127.0.0.1:{free_port + OFFSETS['llm_worker']}/metrics"
        text = httpx.get(url, trust_env=False).text
        valkey.delete("winnow:taken:rate")
    said = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    chats = 'winnow_calls_total{kind="chat"'
    ok = [float(n) for name, n in said.items() if name.startswith(chats)]
    assert sum(ok) == 2 * PAIRS
    assert float(said["winnow_flush_answers_sum"]) == 2 * PAIRS
    assert float(said['winnow_calls_in_flight{kind="chat"}']) == 0
    assert float(said['winnow_tasks_total{ending="success",task="stage.rate"}']) >= 1
    assert str(run_id) not in text
    with unit_of_work(shelf.project_id) as session:
        seen = [row.kind for row in events.page(session, run_id, size=99, after=0) if row.stage]
    assert seen[-3:].count("stage.succeeded") == 1
