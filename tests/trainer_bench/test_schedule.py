"""Cells in the order of their worth, and what happens when the time is over."""

from pathlib import Path

import pytest

from services.trainer.bench import schedule
from services.trainer.bench.cells import Cell, Cells
from services.trainer.bench.schedule import Clock, CutShortError, Plan, Task


def _task(name: str, worth: int, did: list[str], *, after: Plan | None = None) -> Task:
    def compute() -> Cell:
        did.append(name)
        return Cell(figures={"value": worth})

    plan: Plan = {"name": name}
    return Task(plan=plan, kind=name, worth=(worth,), compute=compute, after=after)


class Spent(Clock):
    """A clock with so many looks before its time is over."""

    def __init__(self, looks: int) -> None:
        super().__init__(None)
        self._looks = looks

    def left(self) -> float:
        self._looks -= 1
        return 100.0 if self._looks >= 0 else 0.0


def test_the_worthiest_cells_are_computed_first(tmp_path: Path) -> None:
    did: list[str] = []
    tasks = [_task(name, worth, did) for name, worth in (("c", 3), ("a", 1), ("b", 2))]
    assert schedule.work(Cells(tmp_path), tasks, Clock(None)) == []
    assert did == ["a", "b", "c"]


def test_when_the_time_is_over_the_rest_is_left_open_and_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    did: list[str] = []
    tasks = [_task(name, worth, did) for worth, name in enumerate("abc")]
    left = schedule.work(Cells(tmp_path), tasks, Spent(looks=1))
    assert did == ["a"]
    assert [task.kind for task in left] == ["b", "c"]
    assert "left open: 2 of 3 cells" in capsys.readouterr().err
    assert schedule.work(Cells(tmp_path), tasks, Clock(None)) == []
    assert did == ["a", "b", "c"]


def test_a_cell_waits_for_the_one_that_it_needs(tmp_path: Path) -> None:
    did: list[str] = []
    needs = _task("b", 1, did, after={"name": "a"})
    assert schedule.work(Cells(tmp_path), [needs], Clock(None)) == [needs]
    assert did == []
    assert schedule.work(Cells(tmp_path), [needs, _task("a", 0, did)], Clock(None)) == []
    assert did == ["a", "b"]


def test_a_cell_that_was_cut_short_is_left_open(tmp_path: Path) -> None:
    def stops() -> Cell:
        raise CutShortError

    cut = Task(plan={"name": "a"}, kind="a", worth=(0,), compute=stops, resumes=True)
    assert schedule.work(Cells(tmp_path), [cut], Clock(None)) == [cut]


def test_a_cell_that_takes_longer_than_what_is_left_is_not_begun(tmp_path: Path) -> None:
    did: list[str] = []
    plans: list[Plan] = [{"seed": 0}, {"seed": 1}]
    slow = Task(
        plan=plans[0],
        kind="slow",
        worth=(0,),
        compute=lambda: Cell(figures={schedule.SECONDS: 101.0}),
    )
    again = Task(plan=plans[1], kind="slow", worth=(1,), compute=lambda: Cell(figures={}))
    quick = _task("quick", 2, did)
    left = schedule.work(Cells(tmp_path), [slow, again, quick], Spent(looks=9))
    assert left == [again]
    assert did == ["quick"]


def test_progress_tells_how_long_the_rest_will_take_by_what_others_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def took(seed: int, seconds: float) -> Task:
        return Task(
            plan={"seed": seed},
            kind="one",
            worth=(seed,),
            compute=lambda: Cell(figures={schedule.SECONDS: seconds}),
        )

    schedule.work(Cells(tmp_path), [took(0, 90.0), took(1, 30.0), took(2, 0.0)], Clock(None))
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "3 cells to go"
    assert "2 cells to go, about 3.0 min" in told
    assert "1 cells to go, about 1.0 min" in told
