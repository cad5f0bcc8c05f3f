"""bench table1: every peer and LLMHNI on a published split, one table per protocol."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from services.trainer.bench import ials, printed, table_inputs
from services.trainer.bench.denoiser_rows import llmhni_rows
from services.trainer.bench.peers import tell
from services.trainer.bench.raw_rows import raw_rows
from services.trainer.bench.resuming import show
from services.trainer.bench.rows import Row, peer_rows
from services.trainer.bench.summary import Line, computed, gap_by_seed
from services.trainer.bench.table_files import (
    difference,
    draw_lines,
    left,
    plot,
    protocol_table,
    write_csv,
)
from services.trainer.bench.table_inputs import Inputs, Options, filled
from services.trainer.bench.tables import BOTH, DECIDES, TRAIN, Table

NAME = "table1"
DEFAULT, PRINTED, RAW = (
    "LLMHNI default, LightGCN",
    "LLMHNI printed, LightGCN",
    "LightGCN, sampled softmax",
)


@click.command(NAME)
@table_inputs.options
@click.option("--protocol", type=click.Choice([TRAIN, BOTH]), help="only this one")
def command(asked: Options, *, protocol: str | None) -> None:
    """Closed forms, raw backbones and LLMHNI, printed and default; resumes where it stopped."""
    inputs = table_inputs.read(asked)
    if not ials.installed():
        tell(ials.ABSENT)
    reads = (TRAIN, BOTH) if protocol is None else tuple({TRAIN, protocol})
    table = filled(rows(inputs, epochs=asked.epochs), inputs, asked, reads=reads)
    show(write(table, inputs, asked.data.name, asked.out), asked.out, NAME)


def rows(inputs: Inputs, *, epochs: int | None = None) -> list[Row]:
    """Return the rows in the order of the table."""
    return [
        *peer_rows(),
        *raw_rows(epochs=epochs),
        *llmhni_rows(inputs.texts, inputs.ratings, epochs=epochs),
    ]


def write(table: Table, inputs: Inputs, data: str, out: Path) -> str:
    """Write Markdown, CSV and a plot per protocol; return the Markdown."""
    found = computed(table)
    parts = [
        *table_inputs.told(inputs),
        *claims(table, found[TRAIN], data),
        *left(table),
        "",
        *(f"{protocol_table(name, found[name], data)}\n" for name in found),
    ]
    text = "\n".join(parts)
    (out / f"{NAME}.md").write_text(text, encoding="utf-8")
    write_csv(out / f"{NAME}.csv", {NAME: table}, (TRAIN, BOTH))
    for name, some in found.items():
        if any(line.figures for line in some):
            path = out / f"{NAME}-{name.replace('+', '-')}.png"
            plot(path, partial(draw_lines, lines=some), size=(9, 8))
    return text


def claims(table: Table, first: Sequence[Line], data: str) -> list[str]:
    """Return MET or MISSED for LLMHNI against its raw model and against the paper, where run."""
    figures = {line.row.name: line.figures for line in first}
    said = []
    by_name = {row.name: table.found(row, TRAIN) for row in table.rows}
    at = gap_by_seed(by_name.get(DEFAULT, {}), by_name.get(RAW, {}), other=RAW)
    if at is not None:
        met = at.interval.low > 0
        said.append(_claim(f"{DEFAULT} beats {RAW}: R@20 {difference(at, named=False)}", met=met))
    paper = printed.PRINTED.get(data, {}).get("LLMHNI")
    if paper is not None and figures.get(PRINTED):
        mean = figures[PRINTED][DECIDES].mean
        words = f"{PRINTED} reaches the paper's R@20 of {paper[0]:.4f}: {mean:.4f}"
        said.append(_claim(words, met=mean >= paper[0]))
    return said


def _claim(words: str, *, met: bool) -> str:
    return f"- {'MET' if met else 'MISSED'}: {words}"
