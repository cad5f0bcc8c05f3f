"""`python -m tests.faults`: the long series of faults, and its table."""

import json
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path

import click

from tests.e2e import house as houses
from tests.e2e import shop as shops
from tests.faults import disks, moments, table
from tests.faults.settings import SETTINGS
from tests.faults.strikes import FAULTS, Fault
from tests.faults.trial import Bench, Outcome, Trial
from winnow.home import Home

STRIKES = 8
"""Faults of a storm."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--trials", default=2, show_default=True, help="Trials of each kind of fault.")
@click.option("--storms", default=3, show_default=True, help="Trials with several faults each.")
@click.option("--seed", default=1, show_default=True, help="Draws moments, delays and pauses.")
@click.option("--fault", "kinds", multiple=True, help="Only kinds whose name holds this word.")
@click.option("--moment", "only", multiple=True, help="Only strikes at this moment.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Table as Markdown.")
@click.option(
    "--journal",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keeps each outcome; trials that it has already are not repeated.",
)
@click.option("--own-mounts", is_flag=True, hidden=True, help="We are in mounts of our own.")
@click.option("--home", type=click.Path(path_type=Path), help="The stack's folder, kept.")
def main(
    trials: int,
    storms: int,
    seed: int,
    kinds: Sequence[str],
    only: Sequence[str],
    out: Path | None,
    journal: Path | None,
    home: Path | None,
    *,
    own_mounts: bool,
) -> None:
    """Break a running stack in every way that is known, and tell what became of its runs.

    Exits with 1 when a trial did not hold. A trial is repeated by its seed, --fault and --moment.
    """
    if not own_mounts:
        disks.enter([*sys.argv[1:], "--own-mounts"])
        click.echo("No mounts of our own are to be had here: full disks are left out.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the stack is ended in order
    planned = plan(trials=trials, storms=storms, seed=seed, kinds=kinds, only=only)
    planned = [one for one in planned if own_mounts or not needs_disks(one)]
    outcomes = known(journal, planned)
    done = {one.name for one in outcomes}
    left = [one for one in planned if one.name not in done]
    click.echo(f"{len(planned)} trials, {len(left)} to go")
    with tempfile.TemporaryDirectory(prefix="winnow-faults-") as scratch:
        place = home or Path(scratch) / "home"
        Home(place.absolute()).create()
        small = disks.mounted(place) if own_mounts else nullcontext()
        with small, houses.running(place, **SETTINGS) as house:
            bench = Bench.prepare(house, shops.write(Path(scratch)))
            for number, trial in enumerate(left, start=1):
                outcome = bench.run(trial)
                outcomes.append(outcome)
                line = " | ".join(table.cells(outcome))
                click.echo(f"{number}/{len(left)} {line} ({outcome.took:.0f} s)")
                _keep(journal, outcome)
                _write(out, outcomes)
    click.echo(table.summary(outcomes))
    raise SystemExit(int(any(outcome.wrong for outcome in outcomes)))


def plan(
    *, trials: int, storms: int, seed: int, kinds: Sequence[str], only: Sequence[str]
) -> list[Trial]:
    """Return the series: of each kind so many trials, its moments in turn; then the storms."""
    chosen = [f for f in FAULTS.values() if not kinds or any(kind in f.name for kind in kinds)]
    planned = []
    for place, fault in enumerate(chosen):
        when = [one for one in fault.moments if not only or one in only]
        for number in range(trials if when else 0):
            moment = when[(seed + place + number) % len(when)]
            planned.append(Trial(strikes=((fault.name, moment),), seed=seed))
    planned += [] if kinds or only else deal(storms, seed=seed)
    return list(dict.fromkeys(planned))


def deal(count: int, *, seed: int) -> list[Trial]:
    """Return so many trials with several faults each; all kinds come up before any comes again."""
    rng = random.Random(f"storms {seed}")
    dealt: list[Trial] = []
    deck: list[Fault] = []
    for number in range(count):
        if not deck:
            deck = rng.sample(list(FAULTS.values()), k=len(FAULTS))
        dealt.append(_storm(deck, rng, seed=seed + number))
    return dealt


def _storm(deck: list[Fault], rng: random.Random, *, seed: int) -> Trial:
    """Take faults off the deck that have a moment left, in the order of the way."""
    by_moment: dict[str, str] = {}
    for fault in list(deck):
        free = [moment for moment in fault.moments if moment not in by_moment]
        if free and len(by_moment) < STRIKES:
            by_moment[rng.choice(free)] = fault.name
            deck.remove(fault)
    order = sorted(by_moment, key=moments.ALL.index)
    return Trial(strikes=tuple((by_moment[moment], moment) for moment in order), seed=seed)


def needs_disks(trial: Trial) -> bool:
    """Say whether the trial fills a disk."""
    return any(FAULTS[name].disks for name, _ in trial.strikes)


def known(journal: Path | None, planned: Sequence[Trial]) -> list[Outcome]:
    """Return the planned trials' outcomes that a journal holds."""
    if journal is None or not journal.exists():
        return []
    names = {field.name for field in fields(Outcome)}
    wanted = {one.name for one in planned}
    found = [
        Outcome(**{name: value for name, value in json.loads(line).items() if name in names})
        for line in journal.read_text(encoding="utf-8").splitlines()
    ]
    return [one for one in found if one.name in wanted]


def _keep(journal: Path | None, outcome: Outcome) -> None:
    if journal is not None:
        with journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(outcome.to_dict()) + "\n")


def _write(out: Path | None, outcomes: Sequence[Outcome]) -> None:
    if out is not None:
        out.write_text(table.markdown(outcomes), encoding="utf-8")


if __name__ == "__main__":
    main()
