"""The peak of the summed PSS of the demo, the stack and all their children."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import psutil


class PeakMemory:
    """Samples in a thread while it is open; `peak` is in bytes.

    PSS (proportional set size) counts a page shared by n processes as 1/n in each of them.
    """

    def __init__(self, *, every: float = 2.0) -> None:
        self.peak = 0
        self._every = every
        self._roots: set[int] = {psutil.Process().pid}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="peak-memory", daemon=True)

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

    def watch(self, pids: Iterable[int]) -> None:
        """Count these processes and their children too, whoever started them."""
        self._roots = self._roots | set(pids)

    def _sample(self) -> None:
        while True:
            self.peak = max(self.peak, family_pss(self._roots))
            if self._stop.wait(self._every):
                return


def family_pss(roots: set[int]) -> int:
    """Return the summed PSS in bytes of the processes and all their descendants, each once."""
    return sum(_pss(pid) for pid in _families(roots))


def _families(roots: set[int]) -> set[int]:
    members = set(roots)
    for pid in roots:
        try:
            children = psutil.Process(pid).children(recursive=True)
        except psutil.Error:
            continue
        members.update(child.pid for child in children)
    return members


def _pss(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_full_info().pss)
    except psutil.Error:
        return 0  # it has just ended
