"""Ports of the loopback address: a free one, and whether one is taken."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from winnow.errors import PortTakenError

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Return a port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Tell whether a server could bind the port now."""
    with socket.socket() as probe:
        # As servers do: a connection of the last minute in TIME_WAIT does not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


@contextmanager
def claimed(port: int | None) -> Iterator[bool]:
    """Keep the port from other callers of this function; yield whether we could.

    The server that it is kept for can bind it meanwhile: servers set SO_REUSEADDR, which only now,
    after a bind that tolerates nobody, is set here too.
    """
    with socket.socket() as claim:
        try:
            claim.bind((LOOPBACK, port or 0))
        except OSError:
            yield False
            return
        claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield port is not None


def require_free(port: int, *, name: str) -> None:
    """Raise PortTakenError if another program holds the port meant for `name`."""
    if not is_free(port):
        raise PortTakenError(
            f"Port {port}, meant for {name}, is in use by another program: end that program, "
            f"or choose another port."
        )
