"""The timer is the one thread that sweeps: nothing that fails may end it."""

import threading
from collections.abc import Iterator

import pytest
from redis.exceptions import ConnectionError as ValkeyAwayError
from sqlalchemy.exc import OperationalError

from services.api.worker.timer import Timer
from services.shared.settings import settings


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Turns follow each other at once, and there is nothing to clean."""
    monkeypatch.setenv("WINNOW_SWEEP_SECONDS", "0.01")
    monkeypatch.setattr("services.api.worker.timer.clean", lambda: None)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    "trouble",
    [
        OperationalError("SELECT", {}, ConnectionRefusedError()),
        ValkeyAwayError("refused"),
        ValueError("'stage.of_a_newer_version' is not a valid Task"),
    ],
)
def test_a_sweep_that_failed_is_tried_again(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0
    again = threading.Event()

    def sweep() -> int:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise trouble
        again.set()
        return 0

    monkeypatch.setattr("services.api.worker.timer.sweep", sweep)
    with Timer():
        assert again.wait(20)
