"""python -m services.trainer.bench NAME: tables from files."""

import json
import os
import signal
import sys
from pathlib import Path

# before anything imports BLAS: one thread, so that figures and times can be compared
os.environ.setdefault("OMP_NUM_THREADS", "1")  # noqa: TID251 - read by BLAS, not by us

import click
import torch

from services.shared.errors import WinnowError
from services.trainer.bench import bookshop as shops
from services.trainer.bench import (
    coldstart,
    default,
    detect,
    ials,
    noise,
    peers,
    published,
    rate,
    report,
    scale,
    sensitivity,
    speed,
    table1,
    table2,
)
from services.trainer.bench.peer_tables import tables
from services.trainer.bench.resuming import resumes, show

INCOMPLETE = 3
"""Exit code of `peers --require-all` where a peer's library is missing."""


@click.group()
def main() -> None:
    """Benches that read files and start what they need themselves."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # end the children


@main.command("peers")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="of iALS")
@click.option("--json", "as_json", is_flag=True, help="last line of stdout: the rows as JSON")
@click.option("--require-all", is_flag=True, help=f"exit with {INCOMPLETE} where iALS is missing")
def peers_command(data: Path, seed: int, *, as_json: bool, require_all: bool) -> None:
    """Popularity, ItemKNN, GF-CF, EASE and iALS on a published split."""
    missing = [] if ials.installed() else [ials.ABSENT]
    for sentence in missing:
        peers.tell(sentence)
    if missing and require_all:
        sys.exit(INCOMPLETE)
    split = published.read(data)
    chosen = {name: peers.choose(split, trials) for name, trials in peers.grids(seed=seed).items()}
    first, second = peers.rows(split, chosen).items()
    print(tables([first, second]))
    if as_json:
        print(json.dumps({"rows": first[1], "rows_train_val": second[1], "missing": missing}))


@main.command("bookshop")
@resumes
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/bench-bookshop"),
    show_default=True,
)
def bookshop_command(seeds: int, out: Path) -> None:
    """Raw, texts, local rater, placebo and oracle on generated shops; resumes where it stopped."""
    rows = shops.run(out, seeds=range(seeds))
    show(report.markdown(rows), out, report.NAME)


@main.command("coldstart")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/bench-coldstart"),
    show_default=True,
    help="keeps the texts' vectors",
)
def coldstart_command(data: Path, seed: int, out: Path) -> None:
    """Fold-in and texts for users and items that were not trained, on a published split."""
    print(coldstart.table(*coldstart.run(data, out, seed=seed)))


main.add_command(rate.command)
main.add_command(noise.command)
main.add_command(table1.command)
main.add_command(table2.command)
main.add_command(sensitivity.command)
main.add_command(default.command)
main.add_command(speed.command)
main.add_command(scale.command)
main.add_command(detect.command)


if __name__ == "__main__":
    try:
        main(standalone_mode=True)
    except WinnowError as error:
        sys.exit(error.detail)
