"""A thread that keeps a lease alive while its holder works, and tells when it is lost."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.shared.errors import LeaseLostError
from services.shared.settings import settings

log = structlog.get_logger(__name__)


class Heartbeat:
    """Calls `renew` at a third of the lease's length; `lost` is set when it raises LeaseLostError.

    A database that is away for a while is no loss by itself: the next renewal tells.
    """

    def __init__(self, renew: Callable[[], None]) -> None:
        self.lost = threading.Event()
        self._renew = renew
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

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
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(settings().lease_seconds / 3):
            try:
                self._renew()
            except LeaseLostError:
                self.lost.set()
                return
            except SQLAlchemyError as error:  # also the pool's: every connection may be taken
                log.warning("lease.renewal_failed", error=type(error).__name__)
