"""Asks every dependency at once and waits for none of them for long.

A dependency that never answers costs its own thread and nothing else: the others are told, and it
is not asked again while the first question is open.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.api.probes import Finding, Probe, Status
from services.shared.log import get_logger

log = get_logger(__name__)

DEADLINE_SECONDS = 1.8
GIVEN_UP_SECONDS = 60.0
"""After which a question that was never answered is asked again in another thread."""

NEEDED = frozenset({"postgres", "lists"})
"""Without these nothing is served; without any other, less."""


@dataclass(frozen=True)
class Told:
    """What is known of a dependency, and how long the answer took."""

    status: Status
    detail: str | None
    milliseconds: float | None


class Readiness:
    """Knows how each dependency was a moment ago; one per process."""

    def __init__(self, probes: Mapping[str, Probe]) -> None:
        self._questions = {name: _Question(name, probe) for name, probe in probes.items()}

    def look(self) -> dict[str, Told]:
        """Return every dependency by name, within two seconds whatever hangs."""
        until = time.monotonic() + DEADLINE_SECONDS
        for question in self._questions.values():
            question.begin()
        return {name: question.answer(until) for name, question in self._questions.items()}


def sum_up(found: Mapping[str, Told]) -> str:
    """Return ok, degraded or unavailable; what is not configured is not missed."""
    if any(found[name].status == "away" for name in NEEDED):
        return "unavailable"
    well = {"ok", "not configured"}
    return "ok" if all(one.status in well for one in found.values()) else "degraded"


class _Question:
    """One dependency: asked in a thread of its own, never twice at once."""

    def __init__(self, name: str, probe: Probe) -> None:
        self._name = name
        self._probe = probe
        self._lock = threading.Lock()
        self._asking: _Asking | None = None

    def begin(self) -> None:
        """Ask, unless an answer is fresh or still awaited."""
        with self._lock:
            asking = self._asking
            if asking is not None and asking.stands(self._probe.fresh_seconds):
                return
            self._asking = _Asking(self._name, self._probe.ask)

    def answer(self, until: float) -> Told:
        """Return the answer if it comes in time, else that none came."""
        asking = self._asking
        assert asking is not None  # noqa: S101 - begin comes before
        told = asking.wait(until - time.monotonic())
        return told or Told("away", f"no answer within {DEADLINE_SECONDS} s", None)


class _Asking:
    """A question under way, or answered."""

    def __init__(self, name: str, ask: Callable[[], Finding]) -> None:
        self._begun = time.monotonic()
        self._name = name
        self._ask = ask
        self._told: Told | None = None
        self._answered = threading.Event()
        threading.Thread(target=self._run, name=f"probe {name}", daemon=True).start()

    def stands(self, fresh_seconds: float) -> bool:
        """Say whether it is too early to ask again."""
        age = time.monotonic() - self._begun
        return age < (fresh_seconds if self._answered.is_set() else GIVEN_UP_SECONDS)

    def wait(self, seconds: float) -> Told | None:
        """Return the answer, or None if there is none after so long."""
        self._answered.wait(max(0.0, seconds))
        return self._told

    def _run(self) -> None:
        try:
            found = self._ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, the others must be told
            log.warning("probe_broke", dependency=self._name, error=type(error).__name__)
            found = Finding("away", type(error).__name__)
        took = round((time.monotonic() - self._begun) * 1000, 1)
        self._told = Told(found.status, found.detail, took)
        self._answered.set()
