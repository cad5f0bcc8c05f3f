"""From a table's cells to figures: mean and deviation over seeds, and the paired comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import cast

import numpy as np
from scipy.special import stdtr

from services.recsys.evaluate import Interval, paired_bootstrap
from services.recsys.metrics import Floats
from services.trainer.bench.cells import Cell
from services.trainer.bench.rows import Row
from services.trainer.bench.tables import BOTH, DECIDES, METRICS, TRAIN, Table

RESAMPLES, BOOTSTRAP_SEED = 1_000, 2511
MAKING = ("validation", "best_epoch", "epochs", "epoch_seconds", "fit_seconds", "dropped", "added")


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A figure over seeds; no deviation of a single one."""

    mean: float
    std: float | None
    count: int


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A row's Recall@20 less another's: users paired, their figures averaged over seeds."""

    other: str
    interval: Interval
    p: float  # of the paired t-test, two-sided


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of one protocol; no figures where no cell was computed."""

    row: Row
    asked: int  # seeds
    figures: Mapping[str, Spread] = field(default_factory=dict)
    setting: str = ""
    graph: str = ""
    gap: Gap | None = None


def lines(table: Table, protocol: str) -> list[Line]:
    """Return a line for every row, open ones too, in the order of the rows."""
    found = {row.name: table.found(row, protocol) for row in table.rows}
    read = {name: cells for name, cells in found.items() if _read(cells)}
    users = {name: per_user(cells) for name, cells in read.items()}
    return [
        _line(row, table.asked(row), found[row.name], gap_to_best(row.name, users))
        for row in table.rows
    ]


def _read(cells: Mapping[int, Cell]) -> bool:
    """Return whether there are cells, and test was read in them."""
    return bool(cells) and all(DECIDES in cell.per_user for cell in cells.values())


def spread(values: Sequence[float]) -> Spread:
    """Return mean and sample deviation."""
    std = stdev(values) if len(values) > 1 else None
    return Spread(mean=fmean(values), std=std, count=len(values))


def per_user(cells: Mapping[int, Cell]) -> Floats:
    """Return each user's Recall@20, the mean over the seeds: (n,)."""
    mean: Floats = np.mean([cell.per_user[DECIDES] for cell in cells.values()], axis=0)
    return mean


def computed(table: Table) -> dict[str, list[Line]]:
    """Return the lines under "train" and, where any was computed, under "train+val"."""
    found = {name: lines(table, name) for name in (TRAIN, BOTH)}
    return {
        name: some
        for name, some in found.items()
        if name == TRAIN or any(line.figures for line in some)
    }


def gap_to_best(name: str, users: Mapping[str, Floats]) -> Gap | None:
    """Return the row's gap to the best of the others: to the runner-up for the best row."""
    others = {other: values for other, values in users.items() if other != name}
    if name not in users or not others:
        return None
    best = max(others, key=lambda other: float(others[other].mean()))
    return gap(users[name], others[best], other=best)


def gap(ours: Floats, theirs: Floats, *, other: str) -> Gap:
    """Return the difference with its bootstrap interval and the paired t-test."""
    interval = paired_bootstrap(ours, theirs, seed=BOOTSTRAP_SEED, n=RESAMPLES)
    return Gap(other=other, interval=interval, p=paired_t(ours, theirs))


def gap_by_seed(ours: Mapping[int, Cell], theirs: Mapping[int, Cell], *, other: str) -> Gap | None:
    """Return the difference over the seeds that both have; None where they share none."""
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        return None
    a, b = (per_user({seed: cells[seed] for seed in shared}) for cells in (ours, theirs))
    return gap(a, b, other=other)


def paired_t(a: Floats, b: Floats) -> float:
    """Return the two-sided p of mean(a - b) = 0 (Student 1908); 1 where nobody differs."""
    differences = a - b
    error = float(differences.std(ddof=1)) / len(differences) ** 0.5 if len(a) > 1 else 0.0
    if error == 0.0:
        return 1.0
    return float(2 * stdtr(len(a) - 1, -abs(float(differences.mean())) / error))


def _line(row: Row, asked: int, cells: Mapping[int, Cell], gap_: Gap | None) -> Line:
    if not cells:
        return Line(row=row, asked=asked)

    def told(name: str) -> str:
        return " or ".join(sorted({str(cell.figures.get(name, "")) for cell in cells.values()}))

    return Line(
        row=row,
        asked=asked,
        figures=_spreads(list(cells.values())),
        setting=told("setting"),
        graph=told("graph"),
        gap=gap_,
    )


def _spreads(cells: Sequence[Cell]) -> dict[str, Spread]:
    return {
        name: spread([float(cast("float", cell.figures[name])) for cell in cells])
        for name in (*METRICS, *MAKING)
        if all(name in cell.figures for cell in cells)
    }
