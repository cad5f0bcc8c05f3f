"""How good the estimates of a run's time are: told at 10, 25, 50 and 75 % of it, and the truth.

    python -m benchmarks.eta [--home FOLDER] [--sizes 400,1000,1000,2000] [--record FILE]

Starts the embedded stack, or uses the one that runs in FOLDER, and runs over generated bookshops
of so many readers, one after the other: a size that comes again is the same dataset again. Each
estimate stands beside what was truly left; the factor is the larger of the two over the smaller.
`--record` writes what the stages took and counted, as tests/api/data keeps it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from winnow.demo import drive
from winnow.demo.sources import Source, bookshop
from winnow.stack import Stack
from winnow_client import Client

Json = dict[str, Any]
SHARES = (0.1, 0.25, 0.5, 0.75)
PAUSE = 0.5  # seconds between two looks


@dataclass
class Watched:
    """A run's estimates: seconds since it began, and seconds that were said to be left."""

    readers: int
    again: bool
    told: list[tuple[float, float | None]] = field(default_factory=list)
    seconds: float = 0.0
    job: Json = field(default_factory=dict)

    def at(self, share: float) -> tuple[float | None, float]:
        """Return what was told at a share of the whole time, and the truth."""
        moment = share * self.seconds
        elapsed, told = min(self.told, key=lambda one: abs(one[0] - moment))
        return told, self.seconds - elapsed


def main() -> None:
    """Run them all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--home", type=Path, help="a stack's folder; else a temporary one")
    parser.add_argument("--sizes", default="400,1000,1000,2000")
    parser.add_argument("--record", type=Path)
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    with tempfile.TemporaryDirectory(prefix="winnow-eta-") as own:
        stack = Stack(options.home or Path(own) / "home", tell=print)
        runs = _all(stack, sizes, Path(own))
    _print(runs)
    if options.record:
        options.record.write_text(json.dumps([_recorded(one) for one in runs], indent=1) + "\n")


def _all(stack: Stack, sizes: list[int], folder: Path) -> list[Watched]:
    was_up = all(process.state == "running" for process in stack.status())
    endpoints = stack.up()
    try:
        access = drive.new_access(endpoints.api_url, endpoints.operator_key, name="eta")
        with Client(endpoints.api_url, access.key) as client:
            datasets: dict[int, tuple[str, Source]] = {}
            return [
                _watched(client, datasets, readers, folder, seed=number)
                for number, readers in enumerate(sizes)
            ]
    finally:
        if not was_up:
            stack.down()


def _watched(
    client: Client,
    datasets: dict[int, tuple[str, Source]],
    readers: int,
    folder: Path,
    *,
    seed: int,
) -> Watched:
    watched = Watched(readers=readers, again=readers in datasets)
    if readers not in datasets:
        source = bookshop(folder / str(readers), seed=readers, readers=readers)
        dataset = drive.new_dataset(client, name=f"{readers} readers", seed=0)
        for upload in source.uploads:
            drive.bring_in(client, dataset, upload)
        datasets[readers] = dataset, source
    dataset, source = datasets[readers]
    begun = time.monotonic()

    def note(job: Json) -> None:
        watched.told.append((time.monotonic() - begun, job["eta_seconds"]))

    job = client.start_run(
        dataset, params=source.params, seed=seed, budget_pairs=source.budget_pairs
    )
    watched.job = client.wait(job["id"], note, poll=PAUSE)
    watched.seconds = time.monotonic() - begun
    print(f"{readers} readers{' again' if watched.again else ''}: {watched.seconds:.0f} s")
    return watched


def _print(runs: list[Watched]) -> None:
    print("| run | seconds | " + " | ".join(f"at {share:.0%}" for share in SHARES) + " |")
    print("|---|---:|" + "---:|" * len(SHARES))
    for one in runs:
        cells = " | ".join(_cell(*one.at(share)) for share in SHARES)
        name = f"{one.readers} readers{', again' if one.again else ''}"
        print(f"| {name} | {one.seconds:.0f} | {cells} |")


def _cell(told: float | None, truth: float) -> str:
    if told is None:
        return f"none / {truth:.0f}"
    factor = max(told, truth) / max(min(told, truth), 0.1)
    return f"{told:.0f} / {truth:.0f} (x{factor:.2f})"


def _recorded(one: Watched) -> Json:
    stages = {
        stage["name"]: {"seconds": stage["seconds"], "figures": _numbers(stage["figures"])}
        for stage in one.job["stages"]
    }
    return {"readers": one.readers, "again": one.again, "stages": stages}


def _numbers(figures: Json) -> Json:
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}


if __name__ == "__main__":
    main()
