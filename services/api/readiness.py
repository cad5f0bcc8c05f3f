"""Asks every dependency at once and waits for none of them for long.

A dependency that never answers costs its own thread and nothing else: the others are told, and it
is not asked again while the first question is open.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.api.asking import Question
from services.api.probes import Finding, Probe, Status
from services.shared.log import get_logger

log = get_logger(__name__)

DEADLINE_SECONDS = 1.8

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
        self._questions = {
            name: Question(name, _asked(name, probe.ask), probe.fresh_seconds)
            for name, probe in probes.items()
        }

    def look(self) -> dict[str, Told]:
        """Return every dependency by name, within two seconds whatever hangs."""
        until = time.monotonic() + DEADLINE_SECONDS
        asked = {name: question.begin() for name, question in self._questions.items()}
        silent = Told("away", f"no answer within {DEADLINE_SECONDS} s", None)
        return {name: one.answer(until) or silent for name, one in asked.items()}


def sum_up(found: Mapping[str, Told]) -> str:
    """Return ok, degraded or unavailable; what is not configured is not missed."""
    if any(found[name].status == "away" for name in NEEDED):
        return "unavailable"
    well = {"ok", "not configured"}
    return "ok" if all(one.status in well for one in found.values()) else "degraded"


def _asked(name: str, ask: Callable[[], Finding]) -> Callable[[], Told]:
    def timed() -> Told:
        begun = time.monotonic()
        try:
            found = ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, the others must be told
            log.warning("probe_broke", dependency=name, error=type(error).__name__)
            found = Finding("away", type(error).__name__)
        took = round((time.monotonic() - begun) * 1000, 1)
        return Told(found.status, found.detail, took)

    return timed
