"""`python -m services.llm_worker` as a process of its own, to be killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.shared.sweep import sweep
from tests import waiting

ROOT = Path(__file__).parents[2]


@contextmanager
def running(log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a worker with this process' settings; it does not outlive the block."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.llm_worker"],
            cwd=ROOT,
            env=dict(os.environ),  # noqa: TID251 - a child's environment
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def until(happened: Callable[[], bool], *, seconds: float = 40, sweeping: bool = False) -> None:
    """Wait until it has happened, sending again meanwhile what a crash lost if so asked."""
    waiting.until(happened, seconds=seconds, meanwhile=sweep if sweeping else lambda: None)
