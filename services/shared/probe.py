"""`python -m services.shared.probe URL | --pulse FILE`: is this container's process at work?

A container's health check: exit code 0, or 1 with the reason. Only the standard library, since it
runs every few seconds beside the process. A port may be named: `http://127.0.0.1:$WINNOW_API_PORT/…`.
"""

import http.client
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 4.0
STALE_SECONDS = 30.0
"""A worker touches its file every few seconds: services/shared/pulse.py."""


def main(arguments: list[str]) -> int:
    """Return 0 if the process is at work, 1 if not, 2 when the question was not understood."""
    match arguments:
        case ["--pulse", file]:
            found = pulse(Path(file))
        case [url] if url.startswith("http://"):
            found = answer(os.path.expandvars(url))
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return 2
    if found:
        sys.stderr.write(f"{found}\n")
    return int(bool(found))


def answer(url: str) -> str:
    """Return why `url` does not answer 200; empty when it does."""
    try:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS
        )
    except ValueError as error:
        return f"{url} is no address: {error}"
    try:
        connection.request("GET", parts.path or "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{url} does not answer: {type(error).__name__}"
    finally:
        connection.close()
    return "" if status == http.client.OK else f"{url} answers {status}"


def pulse(file: Path) -> str:
    """Return why the worker that touches `file` does not consume; empty when it does."""
    try:
        pid, age = file.read_text(encoding="ascii").strip(), time.time() - file.stat().st_mtime
    except OSError:
        return f"{file} is not there: the worker is not connected to the broker"
    if age > STALE_SECONDS:
        return f"{file} was touched {age:.0f} s ago: the worker hangs"
    if not pid.isdecimal() or not Path("/proc", pid).exists():
        return f"the worker that touched {file} is gone"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
