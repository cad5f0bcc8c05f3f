"""The last words of a bench that can be cut off: that it goes on, and where its files lie."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from services.trainer.bench.peers import tell

INTERRUPTED = "interrupted: what is finished is kept, and the same command goes on from there"
KINDS = (".md", ".csv", ".json", ".png")


def resumes(command: Callable[..., None]) -> Callable[..., Any]:
    """Have a command that keeps its cells say so when Ctrl-C ends it."""

    @wraps(command)
    def told(*args: object, **given: object) -> None:
        try:
            command(*args, **given)
        except KeyboardInterrupt:
            tell(INTERRUPTED)
            raise

    return told


def show(text: str, out: Path, name: str) -> None:
    """Print a table, and on stderr, as the last words, the files of its name in `out`.

    A plot of an earlier run is among them where this one drew none.
    """
    print(text, flush=True)
    found = sorted(
        path
        for path in out.iterdir()
        if path.suffix in KINDS and (path.stem == name or path.stem.startswith(f"{name}-"))
    )
    tell(f"files there: {', '.join(str(path) for path in found)}")
