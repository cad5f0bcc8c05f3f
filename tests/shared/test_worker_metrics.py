"""Workers serve what they count on a port of their own, if they are told to."""

import socket

import httpx
import pytest
from celery.signals import task_postrun, task_prerun

from services.shared import metrics
from services.shared.settings import settings


class _Task:
    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture
def port(free_port: int, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("WINNOW_METRICS_PORT", str(free_port))
    settings.cache_clear()
    return free_port + metrics.OFFSETS["trainer"]


def test_a_worker_serves_its_counts_on_the_loopback(port: int) -> None:
    metrics.serve("trainer")
    task = _Task("stage.align")
    task_prerun.send(sender=task, task_id="t1")
    task_postrun.send(sender=task, task_id="t1", state="SUCCESS")
    task_postrun.send(sender=_Task("a stranger's"), task_id="t2", state=None)
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    assert 'winnow_tasks_total{ending="success",task="stage.align"} 1.0' in text
    assert 'winnow_task_seconds_count{task="stage.align"} 1.0' in text
    assert 'winnow_tasks_total{ending="unknown",task="other"} 1.0' in text
    assert "process_resident_memory_bytes" in text
    settings.cache_clear()


def test_a_port_that_is_taken_stops_nobody_from_working(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        metrics.serve("trainer")
    settings.cache_clear()


def test_every_worker_has_a_port_of_its_own_within_the_settings_range() -> None:
    offsets = metrics.OFFSETS.values()
    assert len(set(offsets)) == len(metrics.OFFSETS)
    assert max(offsets) + 65533 <= 65535
