"""`python -m services.trainer` takes messages and on TERM leaves nothing half done."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
import redis
from sqlalchemy import text

from services.shared.broker import enqueue
from services.shared.db.session import unit_of_work
from services.shared.queues import Task
from services.shared.settings import settings
from services.shared.stages import StageName
from services.trainer.perform import perform
from tests.trainer.shop import Shop

pytestmark = pytest.mark.stack


@contextmanager
def _worker() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-m", "services.trainer"]) as process:
        try:
            yield process
        finally:
            process.kill()


def _await(holds: Callable[[], bool], *, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_term_ends_the_stages_and_gives_them_back(shop: Shop) -> None:
    run_id = shop.start_run({"epochs": 10_000, "patience": 10_000})
    perform(shop.claim(run_id, StageName.SNAPSHOT))
    with redis.Redis.from_url(settings().require("redis_url")) as broker:
        broker.flushall()
        with unit_of_work(shop.project_id) as session:
            session.execute(text("UPDATE stages SET state = 'ready' WHERE name = 'train_raw'"))
            enqueue(session, Task.TRAIN_RAW, run_id, project_id=shop.project_id)
        with _worker() as worker:
            _await(lambda: shop.state(run_id, StageName.TRAIN_RAW) == "running")
            _await(lambda: len(psutil.Process(worker.pid).children()) == 1)
            (child,) = psutil.Process(worker.pid).children()
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        assert not child.is_running()
        assert shop.state(run_id, StageName.TRAIN_RAW) == "ready"
        assert broker.llen("train") == 1  # its next worker is told
