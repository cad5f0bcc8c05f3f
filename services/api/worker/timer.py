"""A thread that does what is due: the sweep every few seconds, the cleaning every hour."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from kombu.exceptions import KombuError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from services.api.worker.clean import clean
from services.shared.log import get_logger
from services.shared.settings import settings
from services.shared.sweep import sweep

log = get_logger(__name__)
CLEAN_SECONDS = 3600.0


class Timer:
    """Runs beside the worker; what fails, whatever the reason, is tried again at the next turn."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="timer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        cleaned = float("-inf")
        while not self._stop.wait(settings().sweep_seconds):
            _try("sweep", sweep)
            if time.monotonic() - cleaned > CLEAN_SECONDS:
                _try("clean", clean)
                cleaned = time.monotonic()


def _try(name: str, work: Callable[[], object]) -> None:
    try:
        work()
    except (SQLAlchemyError, KombuError, RedisError, OSError) as error:
        log.warning("timer.failed", work=name, error=type(error).__name__)
    except Exception:  # a bug; but this thread is the only one that sweeps
        log.exception("timer.broke", work=name)
