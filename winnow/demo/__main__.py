"""`python -m winnow.demo`: the stack, one real run, its results, a clean end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
from rich.console import Console

from winnow.demo.failures import DemoError
from winnow.demo.memory import PeakMemory
from winnow.demo.sources import Source, bookshop, real_data
from winnow.demo.story import farewell, price, tell
from winnow.errors import StackError
from winnow.stack import Endpoints, Stack
from winnow_client import WinnowError

LINE = 100
FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--data", type=FOLDER, envvar="DATA", help="a folder of real data; else the bookshop")
@click.option("--keep", is_flag=True, envvar="KEEP", help="stay up until Ctrl-C")
@click.option("--home", type=FOLDER, help="the stack's private folder; else a temporary one")
@click.option("--budget-pairs", type=click.IntRange(min=1), help="pairs to rate at most")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(
    data: Path | None, home: Path | None, budget_pairs: int | None, seed: int, *, keep: bool
) -> None:
    """Show on data of yours, or on a generated bookshop, what Winnow does."""
    console = Console(width=None if sys.stdout.isatty() else LINE)
    for number in (signal.SIGINT, signal.SIGTERM):  # one ends as cleanly as the other
        signal.signal(number, _stopping)
    try:
        with tempfile.TemporaryDirectory(prefix="winnow-demo-", ignore_cleanup_errors=True) as own:
            source = _source(data, Path(own) / "data", seed=seed, budget_pairs=budget_pairs)
            _play(console, source, home or Path(own) / "home", Path(own), seed=seed, keep=keep)
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running.")
        sys.exit(130)
    except (DemoError, StackError, WinnowError, OSError) as error:
        print(f"The demo stopped: {error}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 1))


def _source(data: Path | None, folder: Path, *, seed: int, budget_pairs: int | None) -> Source:
    source = real_data(data) if data else bookshop(folder, seed=seed)
    return replace(source, budget_pairs=budget_pairs) if budget_pairs else source


def _play(
    console: Console, source: Source, home: Path, scratch: Path, *, seed: int, keep: bool
) -> None:
    begun = time.monotonic()
    stack = Stack(home, tell=lambda line: console.print(line, markup=False, highlight=False))
    with PeakMemory() as memory:
        endpoints = stack.up()
        try:
            memory.watch(endpoints.pids.values())
            told = tell(
                console,
                api_url=endpoints.api_url,
                operator_key=endpoints.operator_key,
                source=source,
                seed=seed,
                scratch=scratch / "peers",
            )
            for line in farewell(endpoints.api_url, told, keep=keep):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            console.print(price(time.monotonic() - begun, memory.peak), highlight=False)
            if keep:
                _stay(console, endpoints, home)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave orphans
            stack.down()
    console.print("The stack is down.")


def _stopping(_number: int, _frame: FrameType | None) -> NoReturn:
    """Say at once that it was heard: ending the processes takes seconds.

    Written past the console and its buffer, neither of which a handler may enter twice.
    """
    os.write(sys.stderr.fileno(), "Stopping …\n".encode())
    raise KeyboardInterrupt


def _stay(console: Console, endpoints: Endpoints, home: Path) -> None:
    console.print(f"Up at {endpoints.api_url} until Ctrl-C.", highlight=False)
    winnow = Path(sys.executable).with_name("winnow")
    console.print(f"Its processes: {winnow} --home {home} status", highlight=False, soft_wrap=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


if __name__ == "__main__":
    main()
