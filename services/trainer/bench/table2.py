"""bench table2: LLMHNI without one of its parts at a time, in both presets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import click

from services.recsys.methods.llmhni import Config
from services.trainer.bench import denoiser_rows, table_files, table_inputs
from services.trainer.bench.denoiser_rows import CONFIGS, Preset, Texts
from services.trainer.bench.peer_tables import TITLES
from services.trainer.bench.replay import Replay
from services.trainer.bench.resuming import show
from services.trainer.bench.rows import Row
from services.trainer.bench.summary import Line, gap_by_seed, lines
from services.trainer.bench.table_inputs import Options, filled
from services.trainer.bench.tables import METRICS, TRAIN, Table

NAME = "table2"
WITHOUT: Mapping[str, dict[str, bool]] = {
    "": {},
    "without semantic sampling": {"semantic": False},
    "without alignment": {"align": False},
    "without L_hal": {"hal": False},
    "without L_de": {"de": False},
}
READINGS = {
    "LR_nie": ("without L_de", "without L_hal"),
    "LR_uis": ("without L_hal", "without L_de"),
}
"""The paper's two column names do not say which loss is which."""


@click.command(NAME)
@table_inputs.options
def command(asked: Options) -> None:
    """LLMHNI's four ablations, default and printed; shares its cells with table1 in one folder."""
    inputs = table_inputs.read(asked)
    groups = rows(inputs.texts, inputs.ratings, epochs=asked.epochs)
    table = filled([row for group in groups for row in group], inputs, asked, reads=(TRAIN,))
    told = [*table_inputs.told(inputs), *table_files.left(table)]
    show(write(table, groups, told, asked.out), asked.out, NAME)


def rows(texts: Texts, ratings: Sequence[Replay], *, epochs: int | None = None) -> list[list[Row]]:
    """Return a group of rows, the whole method first, for each preset and file of ratings."""
    return [
        [
            denoiser_rows.row(texts, preset, config=config, said=said, variant=name)
            for name, config in _configs(preset, epochs).items()
        ]
        for preset in CONFIGS
        for said in (None, *ratings)
    ]


def write(table: Table, groups: Sequence[Sequence[Row]], said: Sequence[str], out: Path) -> str:
    """Write Markdown, CSV and a plot; return the Markdown."""
    by_name = {line.row.name: line for line in lines(table, TRAIN)}
    parts = [*said, "", TITLES[TRAIN]]
    for group in groups:
        some = [by_name[row.name] for row in group]
        parts += ["", *_ablations(table, some), "", *_readings(some)]
    text = "\n".join([*parts, ""])
    (out / f"{NAME}.md").write_text(text, encoding="utf-8")
    table_files.write_csv(out / f"{NAME}.csv", {NAME: table}, (TRAIN,))
    drawn = [line for line in by_name.values() if line.figures]
    if drawn:
        draw = partial(table_files.draw_lines, lines=drawn)
        table_files.plot(out / f"{NAME}.png", draw, size=(9, 6))
    return text


def _configs(preset: Preset, epochs: int | None) -> dict[str, Config]:
    base = denoiser_rows.capped(preset, epochs)
    return {
        name: replace(base, **cast("dict[str, Any]", switched))
        for name, switched in WITHOUT.items()
    }


def _ablations(table: Table, some: Sequence[Line]) -> list[str]:
    head = ["model", *table_files.HEAD, "seeds", "validation R@20", "R@20 less the whole method's"]
    whole = table.found(some[0].row, TRAIN)
    rows_ = []
    for line in some:
        found = table.found(line.row, TRAIN)
        at = None if line is some[0] else gap_by_seed(found, whole, other="")
        rows_.append(
            [
                line.row.name,
                *(table_files.number(line.figures.get(metric)) for metric in METRICS),
                f"{len(found)} of {line.asked}",
                table_files.number(line.figures.get("validation")),
                table_files.difference(at, named=False),
            ]
        )
    return table_files.table(head, rows_)


def _readings(some: Sequence[Line]) -> list[str]:
    def told(variant: str) -> str:
        line = next(line for line in some if variant in line.row.name)
        return f"{variant}: {table_files.number(line.figures.get('recall@20'))}"

    head = ["the paper's column, R@20 here", "if nie is L_de", "if nie is L_hal"]
    return table_files.table(head, [[name, *map(told, two)] for name, two in READINGS.items()])
