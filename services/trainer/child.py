"""A stage's process as its parent sees it; no torch on this side.

`python -m services.trainer.stage RUN NAME TOKEN` gets the session's environment; its standard
output carries one JSON line, and only when it failed. Its log goes to standard error.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog

from services.shared.db.repos.stages import StageLease
from services.shared.errors import DiskFullError
from services.shared.settings import settings

LOST, RETRY = 3, 75
"""Exit codes beside 0 (finished), 1 (failed) and `disk.EXIT_CODE` (a disk is full): the lease is
another's; a passing trouble."""

GRACE_SECONDS = 5.0


class Child:
    """A running stage."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._said = b""

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def wait(self, seconds: float) -> int:
        """Return the exit code, negative for a signal; subprocess.TimeoutExpired if it runs on."""
        code = self._process.wait(timeout=seconds)
        if self._process.stdout is not None:
            self._said = self._process.stdout.read()
        return code

    def end(self, *, leaving: float = 0.0) -> int:
        """Give the process `leaving` seconds, ask it to end, then make it; return its exit code."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout=leaving)
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout=GRACE_SECONDS)
        self._process.kill()
        return self._process.wait()

    def full(self) -> DiskFullError:
        """Return which disk is full, as the child told it."""
        try:
            told = json.loads(self._said)
            return DiskFullError(str(told["detail"]), needs=int(told["needs"]))
        except (ValueError, KeyError, TypeError):
            needs = settings().disk_room_bytes
            return DiskFullError("There was no room left on a disk of the trainer.", needs=needs)

    def error(self) -> dict[str, str]:
        """Return code and detail as the child told them; never a trace."""
        try:
            told = json.loads(self._said)
            return {"code": str(told["code"]), "detail": str(told["detail"])}
        except (ValueError, KeyError, TypeError):
            return {"code": "INTERNAL", "detail": "The stage ended without saying why."}


@contextmanager
def started(lease: StageLease) -> Iterator[Child]:
    """Start the stage's process; whatever happens to the block, it does not outlive it."""
    with subprocess.Popen(_command(lease), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as it:  # noqa: S603 - our own program, arguments are ids
        child = Child(it)
        try:
            yield child
        except BaseException:
            child.end()
            raise


def _command(lease: StageLease) -> list[str]:
    """Return the command line; BLAS and polars read their threads before Python runs a line."""
    threads = settings().train_threads
    limits = [f"{name}={threads}" for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS")]
    stage = [sys.executable, "-m", "services.trainer.stage"]
    ids = [str(lease.run_id), lease.name.value, str(lease.token)]
    options = [f"--project={lease.project_id}", f"--parent={os.getpid()}"]
    asked_by = structlog.contextvars.get_contextvars().get("request_id")
    if asked_by is not None:  # the messages of the stages that follow carry it on
        options.append(f"--request={asked_by}")
    return ["/usr/bin/env", *limits, *stage, *ids, *options]
