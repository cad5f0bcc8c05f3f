"""How fast counted work goes now: marks of the last minute, so that an old pause weighs nothing.

A mark is [seconds since 1970, completed, cached]; what was cached took no time of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Marks = Sequence[Sequence[float]]

WINDOW_SECONDS = 60.0
STEP_SECONDS = 5.0
"""Marks closer than this replace one another: a row holds about a dozen."""


@dataclass(frozen=True)
class Pace:
    """What was done between the first and the last mark, and when the last was set."""

    seconds: float
    completed: float
    asked: float  # completed, but not from the cache
    until: float


def marked(marks: Marks, progress: Mapping[str, Any], now: float) -> list[list[float]]:
    """Return the marks with one for these counts; older ones than a minute fall, two always stay.

    Counts that went back are those of another attempt: it begins anew.
    """
    new = [round(now, 2), progress.get("completed") or 0, progress.get("cached") or 0]
    kept = [list(mark) for mark in marks if mark[0] <= new[0]]
    if kept and kept[-1][1] > new[1]:
        kept = []
    if len(kept) > 1 and new[0] - kept[-2][0] < STEP_SECONDS:
        kept.pop()
    young = [mark for mark in kept if new[0] - mark[0] <= WINDOW_SECONDS]
    return [*(young or kept[-1:]), new]


def pace(marks: Marks) -> Pace | None:
    """Return what the marks tell; None while nothing was done between two of them."""
    if len(marks) < 2 or marks[-1][1] <= marks[0][1] or marks[-1][0] <= marks[0][0]:
        return None
    first, last = marks[0], marks[-1]
    completed = last[1] - first[1]
    return Pace(last[0] - first[0], completed, completed - (last[2] - first[2]), last[0])
