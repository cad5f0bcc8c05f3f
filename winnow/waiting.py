"""Waiting until a process serves; when it does not, saying why in its own last words."""

import time
from collections.abc import Callable
from pathlib import Path

from winnow import processes
from winnow.errors import ProcessFailedError
from winnow.records import Record

LAST_WORDS = 12  # lines


def wait_until_ready(
    name: str,
    is_ready: Callable[[], bool],
    record: Record | None,
    *,
    log: Path,
    patience: float,
) -> None:
    """Return once `is_ready()` says so.

    Raises:
        ProcessFailedError: the process ended, or was not ready within `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while not is_ready():
        if record is None or not record.alive:
            raise failure(name, "ended" + _exit_code(record) + " while starting", log=log)
        if time.monotonic() > deadline:
            raise failure(name, f"did not serve within {patience:.0f} s", log=log)
        time.sleep(0.1)


def failure(name: str, what: str, *, log: Path) -> ProcessFailedError:
    """Return an error that quotes the end of the process' log."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    quoted = "\n".join(tail(text, lines=LAST_WORDS))
    return ProcessFailedError(f"{name} {what}. Its log, {log}, ends:\n{quoted}")


def tail(text: str, *, lines: int) -> list[str]:
    """Return the last lines of a text."""
    return text.splitlines()[-lines:]


def _exit_code(record: Record | None) -> str:
    code = None if record is None else processes.reap(record.pid)
    return "" if code is None else f" with exit code {code}"
