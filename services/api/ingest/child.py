"""The parser's process as its parent sees it: started with nothing but its plan, ended with it."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import services
from services.api.ingest.plan import OUTCOME, Outcome, Plan
from services.shared import disk
from services.shared.errors import RetryLaterError

POLL_SECONDS = 0.5
GRACE_SECONDS = 2.0
COMMAND = (sys.executable, "-m", "services.api.ingest.parse")
ROOT = Path(services.__path__[0]).parent


def run(plan: Plan, *, watch: Callable[[], None]) -> Outcome:
    """Parse and return the outcome; `watch` is called twice a second and may raise to end it all.

    RetryLaterError when the process was killed or broke: too little memory, a bug, or an operator.
    DiskFullError when there was no room for what it wrote.
    """
    log = Path(plan.target) / "log"
    with (
        log.open("wb") as trace,
        subprocess.Popen(  # noqa: S603 - our own program; the plan goes by standard input
            command(),
            stdin=subprocess.PIPE,
            stdout=trace,
            stderr=trace,
            env=environment(),
            cwd=ROOT,
        ) as process,
    ):
        try:
            _hand_over(process, plan)
            code = _wait(process, watch)
        except BaseException:
            _end(process)
            raise
    outcome = Path(plan.target) / OUTCOME
    if code == disk.EXIT_CODE:
        raise disk.told(written=disk.size_of(Path(plan.target)))
    if code != 0 or not outcome.exists():
        raise RetryLaterError(f"The parser ended with {code}: {_last_line(log)}", retry_after=5)
    return Outcome.decode(outcome.read_bytes())


def command() -> tuple[str, ...]:
    """Return how the parser is started: it ends with the process that it is told."""
    return (*COMMAND, str(os.getpid()))


def environment() -> dict[str, str]:
    """Return what the parser may know: no addresses, no secrets."""
    return {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "POLARS_MAX_THREADS": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",  # the others reserve what the limit then lacks
    }


def _hand_over(process: subprocess.Popen[bytes], plan: Plan) -> None:
    assert process.stdin is not None  # noqa: S101 - asked for above
    with suppress(BrokenPipeError):  # it ended at once: its exit code tells
        process.stdin.write(plan.encode())
        process.stdin.close()


def _wait(process: subprocess.Popen[bytes], watch: Callable[[], None]) -> int:
    while True:
        try:
            return process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            watch()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(log: Path) -> str:
    """Return the kind of the last error; its message may hold a caller's text."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].partition(":")[0][:100] if lines else "without a word"
