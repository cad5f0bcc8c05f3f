"""Cells of a bench: computed once, found again, never mixed up."""

from pathlib import Path

import numpy as np
import pytest

from services.trainer.bench.cells import Cell, Cells

COLUMN = np.arange(6.0).reshape(3, 2)[:, 1]


def test_a_cell_is_computed_once_and_comes_back_as_it_was(tmp_path: Path) -> None:
    made = Cell(figures={"recall@20": 0.25, "setting": "k 50"}, per_user={"recall@20": COLUMN})
    Cells(tmp_path).get({"method": "a", "seed": 0}, lambda: made)
    again = Cells(tmp_path).get({"seed": 0, "method": "a"}, lambda: pytest.fail("computed twice"))
    assert again.figures == made.figures
    assert again.per_user["recall@20"].tolist() == [1.0, 3.0, 5.0]


def test_another_plan_is_another_cell(tmp_path: Path) -> None:
    cells = Cells(tmp_path)
    for seed in (0, 1):
        cells.get({"seed": seed}, lambda seed=seed: Cell(figures={"value": seed}))  # type: ignore[misc] # bound now
    found = [cells.get({"seed": seed}, lambda: Cell(figures={})).figures for seed in (0, 1)]
    assert found == [{"value": 0}, {"value": 1}]


def test_what_was_cut_off_is_computed_again(tmp_path: Path) -> None:
    def breaks() -> Cell:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Cells(tmp_path).get({"seed": 0}, breaks)
    found = Cells(tmp_path).get({"seed": 0}, lambda: Cell(figures={"value": 1}))
    assert found.figures == {"value": 1}


def test_progress_tells_the_plan_and_how_many_are_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Cells(tmp_path, total=7).get({"method": "a", "seed": None}, lambda: Cell(figures={}))
    assert capsys.readouterr().err.startswith("1 of 7: method a\n1 of 7: ")
