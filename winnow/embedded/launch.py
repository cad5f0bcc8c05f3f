"""One embedded server as a direct child, for as long as a `with` block lasts."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from winnow.errors import ProcessFailedError


class Server(Protocol):
    """What Postgres and Valkey have in common."""

    def prepare(self) -> None:
        """Make the folder ready."""

    def command(self) -> list[str]:
        """Return the command, which stays in the foreground."""

    def is_ready(self) -> bool:
        """Tell whether clients are served."""


@contextmanager
def launched(server: Server, *, log: IO[bytes], timeout: float = 60.0) -> Iterator[int]:
    """Run the server; yield its pid once it serves.

    Raises:
        ProcessFailedError: it ended, or did not serve within `timeout` seconds.
    """
    server.prepare()
    child = subprocess.Popen(
        server.command(),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for us: we end the server in order
    )
    try:
        _wait(server, child, timeout)
        yield child.pid
    finally:
        _end(child)


def _wait(server: Server, child: "subprocess.Popen[bytes]", timeout: float) -> None:
    name = type(server).__name__
    deadline = time.monotonic() + timeout
    while not server.is_ready():
        if child.poll() is not None:
            raise ProcessFailedError(f"{name} ended with exit code {child.returncode}.")
        if time.monotonic() > deadline:
            raise ProcessFailedError(f"{name} did not answer within {timeout:.0f} s.")
        time.sleep(0.05)


def _end(child: "subprocess.Popen[bytes]", *, patience: float = 10.0) -> None:
    if child.poll() is not None:
        return
    # To Postgres, SIGINT is the fast shutdown (SIGTERM would wait for every client to leave);
    # to Valkey it is as good as SIGTERM.
    child.send_signal(signal.SIGINT)
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
