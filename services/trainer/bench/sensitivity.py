"""bench sensitivity: the paper's Figure 5, one weight or temperature at a time, on validation."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import click

from services.trainer.bench import denoiser_rows, table_files, table_inputs
from services.trainer.bench.denoiser_rows import Preset, Texts
from services.trainer.bench.replay import Replay
from services.trainer.bench.resuming import show
from services.trainer.bench.rows import Row
from services.trainer.bench.summary import Spread, lines
from services.trainer.bench.table_inputs import Options, filled
from services.trainer.bench.tables import DECIDES, TRAIN, VALIDATION, Table

NAME = "sensitivity"
GRID = (0.1, 0.3, 0.5, 0.7, 1.0)
"""The paper's, for each of the four."""
DIALS = {
    "lambda_1": "λ1, of L_de",
    "lambda_2": "λ2, of L_hal",
    "tau_de": "τ_de",
    "tau_hal": "τ_hal",
}
Curve = dict[float, Row]


@click.command(NAME)
@table_inputs.options
@click.option(
    "--preset", type=click.Choice(["default", "paper"]), default="default", show_default=True
)
@click.option("--test", is_flag=True, help="read test too, once per point: nothing is chosen by it")
def command(asked: Options, *, preset: Preset, test: bool) -> None:
    """λ1, λ2, τ_de and τ_hal around a preset, the last file of ratings replayed if any is given."""
    inputs = table_inputs.read(asked)
    said = inputs.ratings[-1] if inputs.ratings else None
    curves = points(inputs.texts, preset, said, epochs=asked.epochs)
    reads = TRAIN if test else VALIDATION
    rows = {row.name: row for curve in curves.values() for row in curve.values()}
    table = filled(list(rows.values()), inputs, asked, reads=(reads,))
    told = [*table_inputs.told(inputs), *table_files.left(table)]
    show(write(table, curves, reads, told, asked.out, preset=preset), asked.out, NAME)


def points(
    texts: Texts, preset: Preset, said: Replay | None, *, epochs: int | None
) -> dict[str, Curve]:
    """Return a row for each value of each dial; the preset's own point is one row for all."""
    base = denoiser_rows.capped(preset, epochs)
    return {
        dial: {
            value: denoiser_rows.row(
                texts,
                preset,
                config=replace(base, **cast("dict[str, Any]", {dial: value})),
                said=said,
                variant="" if getattr(base, dial) == value else f"{dial} {value:g}",
            )
            for value in GRID
        }
        for dial in DIALS
    }


def write(
    table: Table,
    curves: Mapping[str, Curve],
    reads: str,
    told: Sequence[str],
    out: Path,
    *,
    preset: Preset,
) -> str:
    """Write Markdown, CSV and the four curves; return the Markdown."""
    figures = {line.row.name: line.figures for line in lines(table, reads)}
    metrics = ["validation", *([DECIDES] if reads == TRAIN else [])]
    found = {
        dial: {value: figures[row.name] for value, row in curve.items()}
        for dial, curve in curves.items()
    }
    text = "\n".join([*told, "", _how(reads, preset), "", *_rows(found, metrics), ""])
    (out / f"{NAME}.md").write_text(text, encoding="utf-8")
    _write_csv(out / f"{NAME}.csv", found, metrics)
    draw = partial(_draw, found=found, metrics=metrics)
    table_files.plot(out / f"{NAME}.png", draw, size=(9, 7))
    return text


Found = Mapping[str, Mapping[float, Mapping[str, Spread]]]


def _how(reads: str, preset: Preset) -> str:
    read = "test was not read" if reads == VALIDATION else "test was read once per point"
    title = denoiser_rows.TITLES[preset]
    return f"LLMHNI {title} on LightGCN, one dial moved at a time; R@20 of validation, {read}."


def _rows(found: Found, metrics: Sequence[str]) -> list[str]:
    head = ["dial", "R@20", *(f"{value:g}" for value in GRID), "best"]
    rows = []
    for dial, curve in found.items():
        for metric in metrics:
            there = {value: at[metric].mean for value, at in curve.items() if metric in at}
            best = f"{max(there, key=lambda value: there[value]):g}" if there else ""
            cells = [table_files.number(curve[value].get(metric)) for value in GRID]
            name = "test" if metric == DECIDES else metric
            rows.append([DIALS[dial], name, *cells, best if metric == "validation" else ""])
    return table_files.table(head, rows)


def _write_csv(path: Path, found: Found, metrics: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["dial", "value", "figure", "mean", "std", "seeds"])
        for dial, curve in found.items():
            for value, at in curve.items():
                for metric in metrics:
                    one = at.get(metric)
                    told = [table_files.NOT_RUN, "", 0]
                    if one is not None:
                        told = [one.mean, "" if one.std is None else one.std, one.count]
                    writer.writerow([dial, value, metric, *told])


def _draw(figure: Any, *, found: Found, metrics: Sequence[str]) -> None:  # noqa: ANN401 - matplotlib has no types
    for axes, (dial, curve) in zip(figure.subplots(2, 2).flat, found.items(), strict=True):
        for metric in metrics:
            there = {value: at[metric] for value, at in curve.items() if metric in at}
            errors = [one.std or 0.0 for one in there.values()]
            means = [one.mean for one in there.values()]
            label = "test" if metric == DECIDES else metric
            axes.errorbar(list(there), means, yerr=errors, marker="o", label=label)
        axes.set_xlabel(DIALS[dial])
        axes.set_ylabel("Recall@20")
        axes.legend()
