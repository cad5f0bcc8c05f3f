"""A table on paper: Markdown, one row a cell as CSV, and a plot where matplotlib is installed."""

import csv
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.trainer.bench import printed
from services.trainer.bench.peer_tables import TITLES
from services.trainer.bench.peers import tell
from services.trainer.bench.summary import Gap, Line, Spread
from services.trainer.bench.tables import DECIDES, METRICS, Table

NOT_RUN = "not run"
SMALLEST = 1e-9
"""Smaller p are not told apart."""
ABSENT = "no plots: matplotlib is not installed (pip install -r requirements/bench.lock)"
HEAD = ("R@5", "N@5", "R@10", "N@10", "R@20", "N@20")
Row = Sequence[str]


def protocol_table(name: str, lines: Sequence[Line], data: str) -> str:
    """Return one protocol's table with the printed numbers; the other's never stand in it."""
    head = ["model", "setting", *HEAD, "seeds", "validation R@20", "best of epochs"]
    head += ["CPU s an epoch", "R@20 less the best other's", "printed R@20/N@20"]
    known = printed.without(data, {line.row.printed for line in lines})
    rows = [_cells(line, data) for line in lines]
    rows += [_printed_only(method, data, len(head)) for method in known if name == "train"]
    return "\n".join([TITLES[name], "", *table(head, rows)])


def table(head: Row, rows: Sequence[Row]) -> list[str]:
    """Return the lines of a Markdown table whose first column is words."""
    rule = ["---", *("---:" for _ in head[1:])]
    return [_line(head), _line(rule), *(_line(row) for row in rows)]


def number(figure: Spread | None) -> str:
    """Return mean ± deviation, NOT_RUN where nothing was computed."""
    if figure is None:
        return NOT_RUN
    return f"{figure.mean:.4f}" + ("" if figure.std is None else f" ± {figure.std:.4f}")


def difference(gap: Gap | None, *, named: bool = True) -> str:
    """Return a gap with its interval and p."""
    if gap is None:
        return ""
    at = gap.interval
    against = f" ({gap.other})" if named else ""
    p = f"p {gap.p:.2g}" if gap.p >= SMALLEST else f"p < {SMALLEST:g}"
    return f"{at.difference:+.4f} [{at.low:+.4f}, {at.high:+.4f}], {p}{against}"


def left(filled: Table) -> list[str]:
    """Return a line that names the cells which were not run, if there are any."""
    if not filled.left:
        return []
    names = sorted({task.kind for task in filled.left})
    return [f"- not run: {len(filled.left)} cells ({'; '.join(names)})"]


def write_csv(path: Path, tables: Mapping[str, Table], protocols: Sequence[str]) -> None:
    """Write every figure of every cell, and the cells that were not run without a value."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["table", "protocol", "row", "seed", "figure", "value"])
        for name, filled in tables.items():
            for protocol in protocols:
                writer.writerows([name, *cells] for cells in _figures(filled, protocol))


def plot(path: Path, draw: Callable[[Any], None], *, size: tuple[float, float]) -> None:
    """Have `draw` fill a figure and write it; without matplotlib say so."""
    if importlib.util.find_spec("matplotlib") is None:
        tell(ABSENT)
        return
    from matplotlib.figure import Figure  # noqa: PLC0415 - only where bench.lock is installed

    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    figure.savefig(path, dpi=120)


def draw_lines(figure: Any, lines: Sequence[Line]) -> None:  # noqa: ANN401 - matplotlib has no types
    """Draw Recall@20 of the rows that have one, with the deviation over seeds."""
    there = [line for line in lines if line.figures][::-1]
    spreads = [line.figures[DECIDES] for line in there]
    axes = figure.subplots()
    axes.barh(
        [line.row.name for line in there],
        [one.mean for one in spreads],
        xerr=[one.std or 0.0 for one in spreads],
        color="#4878a8",
    )
    axes.set_xlabel("Recall@20")


def _cells(line: Line, data: str) -> list[str]:
    figures = line.figures
    paper = printed.of(data, line.row.printed)
    count = figures[DECIDES].count if figures else 0
    seeds = f"{count}" if count == line.asked else f"{count} of {line.asked}"
    metrics = [number(figures.get(name)) for name in METRICS]
    setting = _setting(line)
    if not figures:
        return [line.row.name, setting, *metrics, seeds, "", "", "", "", paper]
    seconds = figures.get("epoch_seconds")
    return [
        line.row.name,
        setting,
        *metrics,
        seeds,
        number(figures.get("validation")),
        _epochs(line),
        "" if seconds is None else f"{seconds.mean:.1f}",
        difference(line.gap),
        paper,
    ]


def _setting(line: Line) -> str:
    """Return the setting, and what ratings made of the graph."""
    setting = line.setting or str(line.row.notes.get("setting", ""))
    dropped, added = (line.figures.get(name) for name in ("dropped", "added"))
    if dropped is None or added is None or not dropped.mean + added.mean:
        return setting
    return f"{setting}; {dropped.mean:,.0f} edges dropped, {added.mean:,.0f} added"


def _epochs(line: Line) -> str:
    figures = line.figures
    if "best_epoch" not in figures:
        return ""
    best, ran = figures["best_epoch"].mean, figures["epochs"].mean
    served = f", {line.graph}" if "refined" in line.graph else ""
    return f"{best:g} of {ran:g}{served}"


def _printed_only(method: str, data: str, width: int) -> list[str]:
    blank = ["" for _ in range(width - 3)]
    return [method, "not built here", *blank, printed.of(data, method)]


def _figures(filled: Table, protocol: str) -> list[list[object]]:
    rows: list[list[object]] = []
    for row in filled.rows:
        found = filled.found(row, protocol)
        for seed in range(filled.asked(row)):
            if seed not in found:
                rows.append([protocol, row.name, seed, NOT_RUN, ""])
            else:
                figures = found[seed].figures
                rows += [[protocol, row.name, seed, name, figures[name]] for name in figures]
    return rows


def _line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |"
