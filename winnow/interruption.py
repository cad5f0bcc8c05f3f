"""Ctrl-C that arrives where we look for it, and so can not be lost or leave a gap.

Python raises KeyboardInterrupt between any two instructions: within a destructor it is swallowed,
and between starting a process and writing its record it would leave an orphan.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Interruption:
    """Whether someone asked us to stop."""

    asked: bool = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if someone did."""
        if self.asked:
            raise KeyboardInterrupt


@contextmanager
def noticed() -> Iterator[Interruption]:
    """Note SIGINT and SIGTERM instead of raising; an ignored signal stays ignored."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption  # only the main thread may set handlers
        return

    def note(_number: int, _frame: object) -> None:
        interruption.asked = True

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, note)
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
