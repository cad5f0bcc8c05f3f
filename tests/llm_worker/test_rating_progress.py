"""How far a rating is, told by several batches at once, never goes back."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from services.llm_worker import progress
from services.shared.db.repos import jobs
from services.shared.db.session import unit_of_work
from services.shared.queues import Task
from tests.llm_worker.shelf import Shelf

pytestmark = pytest.mark.stack

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
AS_RATED = """
    INSERT INTO run_ratings (run_id, user_id, item_id, view, project_id, rating_id, cached)
    SELECT :run, user_id, item_id, view, project_id, rating_id, true
    FROM run_ratings WHERE run_id = :other
"""


def test_counts_that_had_to_wait_are_not_old(shelf: Shelf) -> None:
    rated, run_id = shelf.start_run(pairs=20), shelf.start_run(pairs=20)
    shelf.rate(rated)
    shelf.do(Task.RATE, run_id)
    with ThreadPoolExecutor(1) as pool:
        with unit_of_work(shelf.project_id) as another:
            jobs.lock(another, run_id)
            told = pool.submit(progress.tell, run_id, project_id=shelf.project_id)
            _until_it_waits()
            with unit_of_work(shelf.project_id) as session:
                session.execute(text(AS_RATED), {"run": run_id, "other": rated})
        told.result(60)
    assert shelf.job(run_id).progress["completed"] == 40


def _until_it_waits() -> None:
    deadline = time.monotonic() + 60
    while not _waiting():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _waiting() -> int:
    with unit_of_work() as session:  # a new one: a transaction sees one state of the activity
        return int(session.scalar(text(WAITING)) or 0)
