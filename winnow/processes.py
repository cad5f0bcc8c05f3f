"""Starting a process that outlives us, and ending it with all its children."""

import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from winnow import records
from winnow.records import Record


def spawn(command: list[str], *, env: Mapping[str, str], log: Path) -> int:
    """Start the command in a session of its own, its output appended to `log`; return the pid."""
    opened = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), opened, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawnp(
        command[0],
        command,
        env,
        file_actions=files,
        setsid=True,
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE],
    )


def reap(pid: int) -> int | None:
    """Return the exit code of an ended child of ours, negative for a signal; else None."""
    with suppress(ChildProcessError):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done == pid:
            return os.waitstatus_to_exitcode(status)
    return None


def stop(stopping: Sequence[Record], *, patience: float) -> None:
    """End the processes and their families together: ask, wait up to `patience` s, then kill."""
    families = [member for record in stopping for member in records.family(record)]
    for record in stopping:
        if record.alive:
            _ask(record)
    _wait_for(stopping, patience)
    # Whoever is left: a main process that would not go, and children that outlived theirs.
    families += [member for record in stopping for member in records.family(record)]
    _end(families, grace=min(2.0, patience))
    for record in stopping:
        reap(record.pid)


def _wait_for(stopping: Sequence[Record], patience: float) -> None:
    deadline = time.monotonic() + patience
    while any(record.alive for record in stopping) and time.monotonic() < deadline:
        time.sleep(0.05)


def _end(members: Iterable[psutil.Process], *, grace: float) -> None:
    left = _signal_all(set(members), signal.SIGTERM)
    deadline = time.monotonic() + grace
    while any(map(_runs, left)) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal_all(left, signal.SIGKILL)


def _signal_all(members: Iterable[psutil.Process], number: signal.Signals) -> list[psutil.Process]:
    running = [member for member in members if _runs(member)]
    for member in running:
        with suppress(psutil.Error):  # psutil compares start times: a reused pid is not signalled
            member.send_signal(number)
    return running


def _runs(member: psutil.Process) -> bool:
    try:
        return member.is_running() and member.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _ask(record: Record) -> None:
    # To Postgres, SIGTERM means to wait for every client to leave, SIGINT to end in order now.
    number = signal.SIGINT if record.name == "postgres" else signal.SIGTERM
    with suppress(ProcessLookupError):
        os.kill(record.pid, number)
