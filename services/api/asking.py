"""A question in a thread of its own: never twice at once, waited for no longer than one wants."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

GIVEN_UP_SECONDS = 60.0
"""After which a question that was never answered is asked again in another thread."""


class Question(Generic[T]):
    """Asks when the last answer is older than `fresh_seconds`; `ask` may raise nothing."""

    def __init__(self, name: str, ask: Callable[[], T], fresh_seconds: float) -> None:
        self._name = name
        self._ask = ask
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._asking: Asking[T] | None = None

    def begin(self) -> "Asking[T]":
        """Ask, unless an answer is fresh or still awaited; return what is or will be answered."""
        with self._lock:
            asking = self._asking
            if asking is None or not asking.stands(self._fresh_seconds):
                asking = self._asking = Asking(self._name, self._ask)
            return asking


class Asking(Generic[T]):
    """A question under way, or answered."""

    def __init__(self, name: str, ask: Callable[[], T]) -> None:
        self._begun = time.monotonic()
        self._ask = ask
        self._told: T | None = None
        self._answered = threading.Event()
        threading.Thread(target=self._run, name=f"ask {name}", daemon=True).start()

    def stands(self, fresh_seconds: float) -> bool:
        """Say whether it is too early to ask again."""
        age = time.monotonic() - self._begun
        return age < (fresh_seconds if self._answered.is_set() else GIVEN_UP_SECONDS)

    def answer(self, until: float) -> T | None:
        """Return the answer if it comes before this moment of the monotonic clock, else None.

        An answer that came is told however long others were waited for meanwhile.
        """
        self._answered.wait(max(0.0, until - time.monotonic()))
        return self._told

    def _run(self) -> None:
        self._told = self._ask()
        self._answered.set()
