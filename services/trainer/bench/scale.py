"""python -m services.trainer.bench scale: a step's time and peak memory from 1 to 30 million."""

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from services.shared.canonical import Json
from services.shared.errors import InvalidError
from services.trainer.bench.cells import Cell, Cells
from services.trainer.bench.resuming import resumes, show

SIZES = (1_000_000, 3_000_000, 10_000_000, 30_000_000)
STEPS = 10
ROOM = 12.0
"""GiB that the largest may take."""

COLUMNS = (
    "pairs",
    "users",
    "items",
    "batch",
    "CPU s a step",
    "CPU s an epoch",
    "GiB with the data",
    "GiB with the model",
    "GiB at the peak",
)
NAME = "scale"
MARKDOWN, CSV, PLOT = f"{NAME}.md", f"{NAME}.csv", f"{NAME}.png"
Row = dict[str, float]


@click.command(NAME)
@resumes
@click.option("--data", type=click.Path(path_type=Path), help="not read: the pairs are generated")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/bench-scale"),
    show_default=True,
)
@click.option("--size", "sizes", type=click.IntRange(min=10_000), multiple=True, default=SIZES)
def command(data: Path | None, out: Path, sizes: Sequence[int]) -> None:
    """Time ten steps of LightGCN on 1, 3, 10 and 30 million generated pairs, and their memory."""
    del data
    rows = run(out, sizes)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKDOWN).write_text(markdown(rows), encoding="utf-8")
    _write_csv(out / CSV, rows)
    plot(out / PLOT, rows)
    show(markdown(rows), out, NAME)


def run(out: Path, sizes: Sequence[int]) -> list[Row]:
    """Return a row a size, each from a process of its own."""
    cells = Cells(out / "cells", total=len(sizes))
    return [_row(cells, edges) for edges in sizes]


def _row(cells: Cells, edges: int) -> Row:
    plan: dict[str, Json] = {"bench": "scale", "edges": edges, "steps": STEPS}
    figures = cells.get(plan, lambda: Cell(figures={**_measured(edges)})).figures
    return {name: float(str(value)) for name, value in figures.items()}


def _measured(edges: int) -> Row:
    command = [sys.executable, "-m", "services.trainer.bench.scale_child", str(edges), str(STEPS)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    if done.returncode:
        raise InvalidError(f"{edges:,} pairs ended with exit code {done.returncode}: see above.")
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return found


def markdown(rows: Sequence[Row]) -> str:
    """Return the claim and the table."""
    lines = [
        _claim(rows),
        "",
        "LightGCN, d 64, 3 layers, BPR, float32, one thread, generated pairs; a batch is a 500th",
        f"of them; {STEPS} steps were measured, and an epoch is 500 times their median.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|" + " ---: |" * len(COLUMNS),
    ]
    return "\n".join(lines + [_line(row) for row in rows])


def _claim(rows: Sequence[Row]) -> str:
    words = f"{SIZES[-1]:,} pairs within {ROOM:g} GiB"
    peak = next((row["GiB at the peak"] for row in rows if row["edges"] == SIZES[-1]), None)
    if peak is None:
        return f"- NOT MEASURED: {words}"
    return f"- {'MET' if peak <= ROOM else 'MISSED'}: {words} ({peak:.2f})"


def _line(row: Row) -> str:
    counts = [f"{row[name]:,.0f}" for name in ("edges", "users", "items", "batch")]
    seconds = [f"{row['s a step']:.3f}", f"{row['s an epoch']:,.0f}"]
    room = [
        f"{row[name]:.2f}" for name in ("GiB of the data", "GiB with the model", "GiB at the peak")
    ]
    return f"| {' | '.join(counts + seconds + room)} |"


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def plot(path: Path, rows: Sequence[Row]) -> bool:
    """Draw seconds and memory over the pairs; return False where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - only where bench.lock is installed
    except ImportError:
        return False
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for place, (name, title) in enumerate(
        [("s a step", "CPU seconds a step"), ("GiB at the peak", "peak memory, GiB")]
    ):
        axes = figure.add_subplot(1, 2, place + 1)
        axes.loglog([row["edges"] for row in rows], [row[name] for row in rows], "o-")
        axes.set_xlabel("pairs")
        axes.set_title(title)
        axes.grid(visible=True, which="both", alpha=0.3)
    figure.savefig(path, dpi=120)
    return True
