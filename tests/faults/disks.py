"""Small disks that can be filled: a tmpfs below the stack's folder, in mounts of our own.

Mounts need a namespace: `unshare --mount` as root, with `--user --map-root-user` otherwise. They
end with the process that made them.
"""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

MEGABYTES = 64
BALLAST = ".ballast"
FOLDERS = ("artifacts", "spool")
BLOCK = bytes(4096)


def enter(arguments: Sequence[str]) -> None:
    """Start this program again in mounts of its own; return where the system has none to give."""
    prefix = apart()
    if prefix:
        again = [*prefix, sys.executable, "-m", "tests.faults", *arguments]
        os.execvp(again[0], again)  # noqa: S606 - there is nothing for a shell to do


def apart() -> list[str]:
    """Return the words before a command that give it mounts of its own; none where we may not."""
    prefix = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() != 0:
        prefix += ["--user", "--map-root-user"]
    with suppress(OSError, subprocess.CalledProcessError):
        subprocess.run([*prefix, "true"], check=True, capture_output=True)
        return prefix
    return []


@contextmanager
def mounted(home: Path) -> Iterator[None]:
    """Keep a small disk below each folder of a home that has not been used yet.

    Taken away at the end, whoever still has a file open there: the home may then be removed.
    """
    places = [home / name for name in FOLDERS]
    try:
        for place in places:
            place.mkdir(mode=0o700, exist_ok=True)
            options = f"size={MEGABYTES}m,mode=0700"
            words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
            subprocess.run(words, check=True)
        yield
    finally:
        for place in places:
            words = ["umount", "--lazy", str(place)]
            subprocess.run(words, check=False)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Leave not a byte on the disk of a folder until the block ends."""
    ballast = folder / BALLAST
    try:
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(BLOCK)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        yield
    finally:
        ballast.unlink()
