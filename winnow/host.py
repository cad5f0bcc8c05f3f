"""What the host must offer before anything is started: Linux with glibc, and room on disk."""

import os
import platform
import shutil
from pathlib import Path

from winnow.errors import DiskFullError, UnsupportedPlatformError

GIB = 2**30
MACHINES = frozenset({"x86_64", "aarch64"})
SUPPORTED = "it runs on Linux with glibc, such as Debian or Ubuntu; a virtual machine will do."


def check_platform(
    *,
    system: str | None = None,
    machine: str | None = None,
    libc: str | None = None,
) -> None:
    """Raise UnsupportedPlatformError unless this is glibc Linux on a machine we have wheels for.

    Args:
        system: such as `Linux`, `Darwin`, `Windows`; this one's by default, as the others.
        machine: such as `x86_64`.
        libc: `glibc`, or empty where the C library is another (musl).
    """
    system = platform.system() if system is None else system
    if system != "Linux":
        name = {"Darwin": "macOS"}.get(system, system)
        raise UnsupportedPlatformError(f"The embedded stack does not run on {name}: {SUPPORTED}")
    machine = platform.machine() if machine is None else machine
    if machine not in MACHINES:
        raise UnsupportedPlatformError(
            f"There are no embedded servers for {machine} to build the stack on: {SUPPORTED}"
        )
    if (platform.libc_ver()[0] if libc is None else libc) != "glibc":
        raise UnsupportedPlatformError(
            "The embedded servers and torch are built for glibc, and this system has another C "
            f"library (Alpine's musl?): {SUPPORTED}"
        )


def check_space(folder: Path, *, least: int = GIB) -> None:
    """Raise DiskFullError if fewer than `least` bytes are free for us below `folder`."""
    free = shutil.disk_usage(folder).free
    if free < least:
        raise DiskFullError(
            f"Only {free / GIB:.1f} GiB are free under {folder}, and the stack wants "
            f"{least / GIB:.1f}: make room, or set WINNOW_HOME to a folder on another disk."
        )


def inherited() -> dict[str, str]:
    """Return a copy of our own environment: the children's starting point."""
    return dict(os.environ)  # noqa: TID251 - children need PATH and locale; settings read the rest
