"""Waiting for what another thread or process is about to do."""

import time
from collections.abc import Callable


def until(
    happened: Callable[[], bool],
    *,
    what: str = "it to happen",
    seconds: float = 120.0,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Wait until it has happened, doing `meanwhile` between two looks.

    Fails with the name of what was waited for.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        meanwhile()
        time.sleep(0.05)
