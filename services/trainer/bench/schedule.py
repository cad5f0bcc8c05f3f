"""The cells of a table in the order of their worth, until the time that was given is over."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import cast

from services.shared.canonical import Json
from services.trainer.bench.cells import Cell, Cells
from services.trainer.bench.peers import tell

SECONDS = "seconds"
"""The figure of a cell that says how long it took."""
Plan = Mapping[str, Json]


class CutShortError(Exception):
    """The time was over within a cell; what it has learned so far is on disk."""


class Clock:
    """The time that is left of a budget; None is no limit."""

    def __init__(self, minutes: float | None) -> None:
        self._end = None if minutes is None else time.monotonic() + 60 * minutes

    def left(self) -> float:
        """Return the seconds that are left."""
        return float("inf") if self._end is None else self._end - time.monotonic()

    def over(self) -> bool:
        """Return whether nothing is left."""
        return self.left() <= 0


@dataclass(frozen=True, kw_only=True)
class Task:
    """One cell to be: what it is, how it is computed, and what must stand before it."""

    plan: Plan
    kind: str  # cells of one kind take about as long
    worth: tuple[int, ...]  # low goes first
    compute: Callable[[], Cell]
    of: str = ""  # whose cell it is, where several tables are computed in turns
    after: Plan | None = None
    resumes: bool = False  # cut off, it goes on where it was


def work(cells: Cells, tasks: Sequence[Task], clock: Clock) -> list[Task]:
    """Compute the missing cells, the worthiest first; return the tasks that are left open."""
    took = _Took(cells, tasks)
    left: list[Task] = []
    waiting = sorted(tasks, key=lambda task: task.worth)
    for at, task in enumerate(waiting):
        if cells.find(task.plan) is None:
            tell(took.words(waiting[at:], cells))
        if not _open(task, cells, clock, took) or not _done(task, cells, took):
            left.append(task)
    if left:
        tell(f"left open: {len(left)} of {len(tasks)} cells; the same command goes on with them")
    return left


def _open(task: Task, cells: Cells, clock: Clock, took: "_Took") -> bool:
    """Return whether the task may start: what it needs stands, and there is time for it."""
    if cells.find(task.plan) is not None:
        return True
    if clock.over() or (task.after is not None and cells.find(task.after) is None):
        return False
    expected = took.of(task.kind)
    return task.resumes or expected is None or expected < clock.left()


def _done(task: Task, cells: Cells, took: "_Took") -> bool:
    """Compute the cell; False where the time was over within it."""
    try:
        seed = task.plan.get("seed")
        where = f"{task.kind}, {task.of}" if task.of else task.kind
        words = where if seed is None else f"{where}, seed {seed}"
        cell = cells.get(task.plan, lambda: _timed(task.compute), words=words)
    except CutShortError:
        tell("the time is over: this cell goes on from its checkpoint the next time")
        return False
    took.learn(task.kind, cell)
    return True


def _timed(compute: Callable[[], Cell]) -> Cell:
    began = time.perf_counter()
    cell = compute()
    took = max(time.perf_counter() - began, _seconds(cell))
    return replace(cell, figures={**cell.figures, SECONDS: round(took, 3)})


def _seconds(cell: Cell) -> float:
    return float(cast("float", cell.figures.get(SECONDS, 0.0)))


class _Took:
    """What cells of each kind took, the finished ones of earlier times included."""

    def __init__(self, cells: Cells, tasks: Sequence[Task]) -> None:
        self._seconds: dict[str, list[float]] = {}
        for task in tasks:
            cell = cells.find(task.plan)
            if cell is not None:
                self.learn(task.kind, cell)

    def learn(self, kind: str, cell: Cell) -> None:
        self._seconds.setdefault(kind, []).append(_seconds(cell))

    def of(self, kind: str) -> float | None:
        return fmean(self._seconds[kind]) if kind in self._seconds else None

    def words(self, waiting: Sequence[Task], cells: Cells) -> str:
        """Say how many cells are missing and how long they will take, by what others took."""
        missing = [task for task in waiting if cells.find(task.plan) is None]
        known = [fmean(times) for times in self._seconds.values()]
        if not known:
            return f"{len(missing)} cells to go"
        guesses = [self.of(task.kind) or fmean(known) for task in missing]
        return f"{len(missing)} cells to go, about {sum(guesses) / 60:.1f} min"
