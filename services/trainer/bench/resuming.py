"""The last words of a bench that can be cut off: that it goes on, and where its files lie."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from services.trainer.bench.peers import tell

INTERRUPTED = "interrupted: what is finished is kept, and the same command goes on from there"
KINDS = (".md", ".csv", ".png")


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
    """Print a table, and on stderr, as the last words, the files of its name in `out`."""
    print(text, flush=True)
    found = sorted(
        path
        for path in out.glob(f"{name}*")
        if path.suffix in KINDS and (path.stem == name or path.stem.startswith(f"{name}-"))
    )
    tell(f"files: {', '.join(str(path) for path in found)}")
