"""Messages leave on commit and die on rollback; the sweep re-sends what was lost."""

from collections.abc import Iterator
from uuid import UUID

import pytest
import redis
from sqlalchemy import text

from services.shared import broker
from services.shared.celery import close_sender
from services.shared.db.session import unit_of_work
from services.shared.ids import new_id
from services.shared.queues import QUEUE_OF, Task
from services.shared.settings import settings
from services.shared.sweep import sweep
from tests.databases import Database
from tests.db.conftest import make_dataset, make_project, make_run

pytestmark = pytest.mark.stack
PROJECT = UUID(int=7)


@pytest.fixture
def valkey(connected: Database) -> Iterator[redis.Redis]:
    """An empty broker, on a database without rows."""
    assert connected.name
    close_sender()
    with redis.Redis.from_url(settings().require("redis_url")) as client:
        client.flushall()
        yield client
    close_sender()


def _waiting(valkey: redis.Redis) -> dict[str, int]:
    queues = {task.queue.value for task in Task}
    return {queue: valkey.llen(queue) for queue in queues if valkey.llen(queue)}  # type: ignore[misc]


def test_every_task_has_a_queue() -> None:
    assert set(QUEUE_OF) == set(Task)


def test_a_message_leaves_on_commit(valkey: redis.Redis) -> None:
    with unit_of_work() as session:
        broker.enqueue(session, Task.IMPORT, UUID(int=1), project_id=PROJECT)
        session.flush()
        assert _waiting(valkey) == {}
    assert _waiting(valkey) == {"ingest": 1}


def test_a_message_dies_on_rollback(valkey: redis.Redis) -> None:
    with pytest.raises(ZeroDivisionError), unit_of_work() as session:
        broker.enqueue(session, Task.IMPORT, UUID(int=1), project_id=PROJECT)
        _ = 1 / 0
    assert _waiting(valkey) == {}


def test_a_savepoint_that_is_released_sends_nothing_before_the_commit(
    valkey: redis.Redis,
) -> None:
    with unit_of_work() as session:
        with session.begin_nested():
            broker.enqueue(session, Task.IMPORT, UUID(int=1), project_id=PROJECT)
        assert _waiting(valkey) == {}
    assert _waiting(valkey) == {"ingest": 1}


def test_a_savepoint_that_is_rolled_back_takes_only_its_own_messages(valkey: redis.Redis) -> None:
    with unit_of_work() as session:
        broker.enqueue(session, Task.IMPORT, UUID(int=1), project_id=PROJECT)
        with pytest.raises(ZeroDivisionError), session.begin_nested():
            session.execute(text("SELECT 1"))
            broker.enqueue(session, Task.PUBLISH, UUID(int=2), project_id=PROJECT)
            _ = 1 / 0
        assert [message.task for message in broker.pending(session)] == [Task.IMPORT]
    assert _waiting(valkey) == {"ingest": 1}


def test_a_broker_that_is_away_does_not_undo_the_commit(
    valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("WINNOW_REDIS_URL", f"redis://127.0.0.1:{free_port}/0")
    settings.cache_clear()
    close_sender()
    project = make_project("kept")
    make_run(project, make_dataset(project))
    with unit_of_work(project) as session:
        assert session.scalar(text("SELECT count(*) FROM stages WHERE state = 'ready'")) == 1
    assert _waiting(valkey) == {}
    close_sender()


def test_the_sweep_sends_again_what_a_wiped_broker_lost(valkey: redis.Redis) -> None:
    project = make_project("p")
    make_run(project, make_dataset(project))
    valkey.flushall()
    assert sweep() == 0  # it was sent a moment ago
    with unit_of_work(project) as session:
        session.execute(text("UPDATE stages SET sent_at = now() - interval '10 minutes'"))
    assert sweep() == 1
    assert _waiting(valkey) == {"light": 1}
    assert sweep() == 0  # and once is enough


def test_two_sweepers_do_not_send_twice(valkey: redis.Redis) -> None:
    project = make_project("p")
    make_run(project, make_dataset(project))
    with unit_of_work(project) as session:
        session.execute(text("UPDATE stages SET sent_at = now() - interval '10 minutes'"))
    with unit_of_work() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x77696E6E})
        assert sweep() == 0
    assert sweep() == 1


@pytest.mark.parametrize("state", ["queued", "running", "cancelling"])
def test_the_sweep_sends_for_an_import_whose_worker_died(valkey: redis.Redis, state: str) -> None:
    project, job = make_project("p"), new_id()
    with unit_of_work(project) as session:
        values = {"id": job, "project": project, "dataset": make_dataset(project), "state": state}
        session.execute(
            text(
                "INSERT INTO jobs (id, project_id, dataset_id, kind, state, progress)"
                " VALUES (:id, :project, :dataset, 'import', :state, '{}')"
            ),
            values,
        )
        session.execute(
            text(
                "INSERT INTO imports (id, project_id, dataset_id, kind, options, spool_name,"
                " size_bytes, sha256, accepted, duplicates, rejected, errors, lease_token,"
                " lease_until, attempts, sent_at) VALUES (:id, :project, :dataset, 'users', '{}',"
                " 'x', 0, '', 0, 0, 0, '[]', 1, now() - interval '1 second', 1,"
                " now() - interval '10 minutes')"
            ),
            values,
        )
    assert sweep() == 1
    assert _waiting(valkey) == {"ingest": 1}
    assert sweep() == 0
