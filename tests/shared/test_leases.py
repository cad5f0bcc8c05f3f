"""A lease is kept alive through whatever passes, and lost only when it is another's."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from services.shared.errors import LeaseLostError
from services.shared.leases import Heartbeat
from services.shared.settings import settings


@pytest.fixture(autouse=True)
def short_leases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Beats follow each other at once."""
    monkeypatch.setenv("WINNOW_LEASE_SECONDS", "0.03")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    "trouble",
    [OperationalError("UPDATE", {}, ConnectionRefusedError()), PoolTimeoutError("all are taken")],
)
def test_the_heart_beats_on_after_a_trouble_of_the_database(trouble: SQLAlchemyError) -> None:
    beats = 0
    again = threading.Event()

    def renew() -> None:
        nonlocal beats
        beats += 1
        if beats == 1:
            raise trouble
        again.set()

    with Heartbeat(renew) as heartbeat:
        assert again.wait(20)
        assert not heartbeat.lost.is_set()


def test_a_lease_that_is_anothers_is_lost() -> None:
    def renew() -> None:
        raise LeaseLostError("a stage")

    with Heartbeat(renew) as heartbeat:
        assert heartbeat.lost.wait(20)
