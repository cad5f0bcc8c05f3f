"""What every worker's Celery app has in common."""

from typing import Any

import pytest
from structlog.contextvars import get_contextvars

from services.shared.celery import make_app
from services.shared.settings import settings


def test_a_task_logs_under_its_id_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WINNOW_REDIS_URL", "redis://127.0.0.1:1/0")
    settings.cache_clear()
    seen: list[dict[str, Any]] = []

    def look() -> None:
        seen.append(dict(get_contextvars()))

    app = make_app("a-test")
    app.task(name="look")(look).apply(task_id="of-this-task")
    settings.cache_clear()
    assert [one.get("task_id") for one in seen] == ["of-this-task"]
    assert "task_id" not in get_contextvars()
