"""How much memory this process has needed."""

from pathlib import Path


def peak_memory() -> int | None:
    """Return the most resident bytes that this process ever had; None where nobody tells.

    Of a long-lived worker that is its peak since it started, not since a stage began.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    return found[0] if found else None
