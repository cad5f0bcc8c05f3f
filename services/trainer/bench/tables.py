"""Rows, protocols and seeds as cells: judged on test once each, under one protocol at a time."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from services.recsys.data import Split
from services.recsys.evaluate import Protocol, evaluate, protocols
from services.shared.canonical import Json
from services.shared.errors import InvalidError
from services.trainer.bench.cells import Cell, Cells
from services.trainer.bench.corpus import fingerprint
from services.trainer.bench.rows import Row, Work, nothing
from services.trainer.bench.schedule import Clock, Task, work

METRICS = ("recall@5", "ndcg@5", "recall@10", "ndcg@10", "recall@20", "ndcg@20")
DECIDES = "recall@20"
TRAIN, BOTH = "train", "train+val"
VALIDATION = "validation"
"""Trained as under "train"; test is not read."""
CHECKPOINTS = ".checkpoints"


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """A bench's rows on one split, and the cells that were computed of it."""

    rows: Sequence[Row]
    split: Split
    seeds: int
    cells: Cells
    left: Sequence[Task] = ()

    def found(self, row: Row, protocol: str) -> dict[int, Cell]:
        """Return the row's finished cells by seed."""
        cells = {
            seed: self.cells.find(plan(self.split, row, protocol, seed))
            for seed in range(self.asked(row))
        }
        return {seed: cell for seed, cell in cells.items() if cell is not None}

    def asked(self, row: Row) -> int:
        """Return how many seeds the row is to have."""
        return self.seeds if row.seeded else 1


def fill(
    rows: Sequence[Row],
    split: Split,
    *,
    out: Path,
    seeds: int,
    clock: Clock,
    only: Sequence[str] = (),
    reads: Sequence[str] = (TRAIN, BOTH),
) -> Table:
    """Compute what is missing until the time is over; rows named by `only` go, if any is given.

    Raises InvalidError where a word of `only` is in no row's name.
    """
    columns = {"": (rows, split)}
    return fill_all(columns, out=out, seeds=seeds, clock=clock, only=only, reads=reads)[0]


def fill_all(
    columns: Mapping[str, tuple[Sequence[Row], Split]],
    *,
    out: Path,
    seeds: int,
    clock: Clock,
    only: Sequence[str] = (),
    reads: Sequence[str] = (TRAIN, BOTH),
) -> list[Table]:
    """Compute the tables of several splits by name, in turns: a row on all of them, then the next.

    Raises InvalidError as `fill` does.
    """
    tasks = {
        name: [
            replace(task(row, split, protocol, seed, out=out, clock=clock, place=place), of=name)
            for place, row in enumerate(_named(rows, only))
            for seed in range(seeds if row.seeded else 1)
            for protocol in reads
        ]
        for name, (rows, split) in columns.items()
    }
    every = [one for some in tasks.values() for one in some]
    cells = Cells(out / "cells", total=len(every))
    left = work(cells, every, clock)  # stable: of equal worth, the first column's goes first
    return [
        Table(
            rows=rows,
            split=split,
            seeds=seeds,
            cells=cells,
            left=[one for one in left if one.of == name],
        )
        for name, (rows, split) in columns.items()
    ]


def _named(rows: Sequence[Row], only: Sequence[str]) -> list[Row]:
    """Return the rows whose name holds any of the words, all without words."""
    for word in only:
        if not any(word in row.name for row in rows):
            names = "; ".join(row.name for row in rows)
            raise InvalidError(f"--only {word}: no row's name holds it. The rows: {names}.")
    return [row for row in rows if not only or any(part in row.name for part in only)]


def plan(split: Split, row: Row, protocol: str, seed: int) -> dict[str, Json]:
    """Return what shapes a row's cell."""
    keys = (split.train.keys(), split.val.keys(), split.test.keys())
    return {
        "row": row.kept_by or row.name,
        "protocol": protocol,
        "seed": seed if row.seeded else None,
        "split": fingerprint(*keys),
        **row.plan,
    }


def task(
    row: Row, split: Split, name: str, seed: int, *, out: Path, clock: Clock, place: int
) -> Task:
    """Return the cell of a row under a protocol with a seed; train+val needs train's."""
    first, own = (plan(split, row, protocol, seed) for protocol in (TRAIN, name))
    wave = seed + row.late + (name == BOTH)
    cells = Cells(out / "cells")

    def compute() -> Cell:
        folder = cells.place(own).with_suffix(CHECKPOINTS)
        told = cast("Cell", cells.find(first)).figures if name == BOTH else None
        order = Order(seed, folder, clock.over, told)
        cell = judged(row, split, name, order)
        shutil.rmtree(folder, ignore_errors=True)
        return cell

    return Task(
        plan=own,
        kind=f"{row.name}, {name}",
        worth=(wave, place, seed),
        compute=compute,
        after=first if name == BOTH else None,
        resumes=row.resumes,
    )


@dataclass(frozen=True, eq=False)
class Order:
    """How a cell is to be made: its seed, its folder, when to stop, what is frozen."""

    seed: int
    folder: Path
    should_stop: Callable[[], bool]
    frozen: Mapping[str, Json] | None


def judged(row: Row, split: Split, name: str, order: Order) -> Cell:
    """Make the row on the protocol's graph, then read test once, unless validation is all."""
    by_name = {protocol.name: protocol for protocol in protocols(split)}
    protocol = by_name[TRAIN if name == VALIDATION else name]
    made = row.make(_work(split, protocol, order))
    if name == VALIDATION:
        return Cell(figures=dict(made.figures))
    judgement = evaluate(made.score_block, protocol.target, mask=protocol.mask)
    per_user = {metric: judgement.of(metric) for metric in METRICS}
    return Cell(figures={**made.figures, **judgement.means()}, per_user=per_user)


def _work(split: Split, protocol: Protocol, order: Order) -> Work:
    """Return what the row may see: no test, and under train+val nothing to choose by."""
    val = split.val if order.frozen is None else nothing(split.val)
    return Work(
        split=Split(protocol.fit, val, nothing(split.test)),
        seed=order.seed,
        folder=order.folder,
        should_stop=order.should_stop,
        frozen=order.frozen,
    )
