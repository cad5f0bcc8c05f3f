"""python -m services.trainer.bench default: the default preset beside its parts and its peers."""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from services.recsys.metrics import Bools, Floats
from services.recsys.tfidf import tf_idf
from services.trainer.bench import blend_rows, ials, printed, table_files, table_inputs
from services.trainer.bench.blend_rows import OURS, TEXT_FREE
from services.trainer.bench.cells import Cell
from services.trainer.bench.peers import tell
from services.trainer.bench.raw_rows import FIRST, LOSSES, capped, raw_row
from services.trainer.bench.resuming import show
from services.trainer.bench.rows import Row, peer_rows
from services.trainer.bench.summary import Gap, computed, gap, gap_by_seed, spread
from services.trainer.bench.table_files import number, protocol_table, write_csv
from services.trainer.bench.table_inputs import Inputs, Options, filled
from services.trainer.bench.tables import BOTH, DECIDES, TRAIN, Table

NAME = "default"
FEW = 5
"""Interactions of a user whose history is short."""
BEFOREHAND = {printed.BOOKS: 0.1969}
"""R@20 of text-aware closed forms under "train", measured before this code was written."""
TIE = 0.003
"""Differences of R@20 below this are ties (design notes)."""
SEEDS = 5
"""The target is their mean."""
TEXT_FREE_PEERS = ("ItemKNN", "EASE", "GF-CF", "iALS", TEXT_FREE)
"""Whoever is compared with the best of them is compared with all of them."""
MINUTES = 30
AIM_OF_FEW = 1.05


@click.command(NAME)
@table_inputs.options
@click.option("--protocol", type=click.Choice([TRAIN, BOTH]), help="only this one")
def command(asked: Options, *, protocol: str | None) -> None:
    """The default preset, its parts and its peers, both protocols; resumes where it stopped."""
    inputs = table_inputs.read(asked)
    if not ials.installed():
        tell(ials.ABSENT)
    found = rows(inputs, composed=asked.composed, epochs=asked.epochs)
    reads = (TRAIN, BOTH) if protocol is None else tuple({TRAIN, protocol})
    table = filled(found, inputs, asked, reads=reads)
    show(write(table, inputs, asked.data.name, asked.out), asked.out, NAME)


def rows(inputs: Inputs, *, composed: bool, epochs: int | None = None) -> list[Row]:
    """Return peers, plainer blends, parts and the default, in the order of the table."""
    known = blend_rows.Known(
        words=tf_idf(inputs.corpus.items), vectors=inputs.texts.vectors, composed=composed
    )
    ours = blend_rows.rows(known, inputs.ratings, epochs=epochs)
    return [*peer_rows(), _raw(epochs), *ours]


def _raw(epochs: int | None) -> Row:
    """Return the raw LightGCN with the loss that the default's graph model trains."""
    loss = "sampled softmax"
    return raw_row(FIRST, loss, capped(LOSSES[loss], epochs))


def write(table: Table, inputs: Inputs, data: str, out: Path) -> str:
    """Write Markdown and CSV; return the Markdown."""
    parts = [
        *table_inputs.told(inputs),
        *claims(table, data),
        *table_files.left(table),
        "",
        *(f"{protocol_table(name, some, data)}\n" for name, some in computed(table).items()),
        *_apart(table),
    ]
    text = "\n".join(parts)
    (out / f"{NAME}.md").write_text(text, encoding="utf-8")
    write_csv(out / f"{NAME}.csv", {NAME: table}, (TRAIN, BOTH))
    return text


def claims(table: Table, data: str) -> list[str]:
    """Return MET or MISSED for each target whose rows were run, and what ratings add."""
    users = {row.name: _per_user(table, row) for row in table.rows}
    there = {name: values for name, values in users.items() if values is not None}
    ours = there.get(OURS)
    if ours is None:
        return []
    return [
        *_beforehand(float(ours.mean()), data, seeds=_seeds(table)),
        *_text_free(ours, there, _few(table)),
        *_ratings(table),
        *_minutes(table),
    ]


def _beforehand(mean: float, data: str, *, seeds: int) -> list[str]:
    """Compare with what was aimed at: the mean of SEEDS seeds, and no luckier few."""
    said, enough = [], seeds >= SEEDS
    value = f"R@20 {mean:.4f}, {seeds} of {max(seeds, SEEDS)} seeds,"
    if data in BEFOREHAND:
        least = BEFOREHAND[data] + TIE
        words = f"{value} is above {BEFOREHAND[data]:.4f} by more than {TIE}"
        said.append(claim(words, met=enough and mean > least))
    paper = printed.PRINTED.get(data, {}).get("LLMHNI")
    if paper is not None:
        words = f"stretch: {value} reaches the paper's printed {paper[0]:.4f}"
        said.append(claim(words, met=enough and mean >= paper[0]))
    return said


def _text_free(ours: Floats, users: dict[str, Floats], few: Bools) -> list[str]:
    absent = [name for name in TEXT_FREE_PEERS if name not in users]
    if absent:
        words = f"never below the best text-free peer: {', '.join(absent)} did not run"
        return [f"- NOT MEASURED: {words}"]
    peers = {*TEXT_FREE_PEERS, *(row.name for row in peer_rows()), "LightGCN, sampled softmax"}
    found = {name: users[name] for name in sorted(peers) if name in users}
    best = max(found, key=lambda name: float(found[name].mean()))
    at = gap(ours, found[best], other=best)
    words = f"never below the best of {len(found)} text-free peers minus {TIE}: {_told(at)}"
    said = [claim(words, met=at.interval.difference >= -TIE)]
    if few.any():
        share = float(ours[few].mean() / max(float(found[best][few].mean()), 1e-12))
        words = f"users with at most {FEW} train items: {share - 1:+.1%} (aim +5 %) to {best}"
        said.append(claim(f"{words}, {int(few.sum())} users", met=share >= AIM_OF_FEW))
    return said


def _ratings(table: Table) -> list[str]:
    """Say of each file what it adds, over the seeds that were also trained without it."""
    found = {row.name: table.found(row, TRAIN) for row in table.rows}
    files = {name: name.removeprefix(f"{OURS}, ratings ") for name in found if name != OURS}
    gaps = {
        files[name]: gap_by_seed(found[name], found[OURS], other=OURS)
        for name in files
        if files[name] != name
    }
    return [f"- ratings {name} {_verdict(at)}: {_told(at)}" for name, at in gaps.items() if at]


def _verdict(at: Gap) -> str:
    if not at.interval.decided:
        return "add nothing that could be told from chance"
    return "help" if at.interval.difference > 0 else "hurt"


def _minutes(table: Table) -> list[str]:
    row = next(row for row in table.rows if row.name == OURS)
    took = [float(str(cell.figures["cpu_seconds"])) for cell in table.found(row, TRAIN).values()]
    words = f"trains within {MINUTES} minutes on one thread: {max(took) / 60:.1f} CPU minutes"
    return [claim(words, met=max(took) < 60 * MINUTES)]


def _apart(table: Table) -> list[str]:
    """Return the users with short histories, time and memory, by row, a table a protocol."""
    few, parts = _few(table), []
    for name in computed(table):
        found = {row.name: list(table.found(row, name).values()) for row in table.rows}
        whose = f"{name}: {int(few.sum())} of {len(few)} users, with <= {FEW} train items"
        head = [whose, "R@20", "N@20", "CPU s", "peak GiB"]
        cells = [_short(row, some, few) for row, some in found.items() if some]
        parts += [*table_files.table(head, cells), ""]
    return parts


def _short(name: str, cells: Sequence[Cell], few: Bools) -> list[str]:
    """Return a row's figures over the few, and what its first cell took."""
    figures = [
        number(spread([float(cell.per_user[metric][few].mean()) for cell in cells]))
        if few.any()
        else "nobody"
        for metric in (DECIDES, "ndcg@20")
    ]
    took = cells[0].figures
    return [name, *figures, str(took.get("cpu_seconds", "")), str(took.get("peak_gib", ""))]


def _seeds(table: Table) -> int:
    row = next(row for row in table.rows if row.name == OURS)
    return len(table.found(row, TRAIN))


def _few(table: Table) -> Bools:
    """Return which judged users have a short history: (n,)."""
    judged = np.unique(table.split.test.users)
    few: Bools = table.split.train.user_degrees()[judged] <= FEW
    return few


def _per_user(table: Table, row: Row) -> Floats | None:
    """Return each user's Recall@20 under "train", the mean over seeds; None where not run."""
    cells = table.found(row, TRAIN)
    if not cells:
        return None
    mean: Floats = np.mean([cell.per_user[DECIDES] for cell in cells.values()], axis=0)
    return mean


def _told(at: Gap) -> str:
    return table_files.difference(at)


def claim(words: str, *, met: bool) -> str:
    """Return a line of the report."""
    return f"- {'MET' if met else 'MISSED'}: {words}"
