"""The local endpoint as a child process, for as long as the bench has something to ask."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from services.shared.errors import UnavailableError

PATIENCE = 120.0
"""Seconds until the encoder must have been read."""
CHAT_MODEL, EMBEDDING_MODEL = "winnow-local-rater", "winnow-local-encoder"


@contextmanager
def serving(log: Path) -> Iterator[httpx.AsyncClient]:
    """Yield a client of a fresh local endpoint on a free loopback port.

    It ends with the block. Raises UnavailableError when it does not come up.
    """
    port, key = _free_port(), secrets.token_urlsafe(24)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "services.local_llm"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=_environment(port, key),
        )
    try:
        base = f"http://127.0.0.1:{port}"
        _wait(base, child, log)
        # no connection is kept: it would outlive the loop of the asyncio.run that opened it
        yield httpx.AsyncClient(
            base_url=base,
            headers={"Authorization": f"Bearer {key}"},
            timeout=120.0,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=0),
        )
    finally:
        child.terminate()
        child.wait()


def about(client: httpx.AsyncClient) -> dict[str, str]:
    """Return what the endpoint says it is: its rater and its encoder."""
    said: dict[str, str] = httpx.get(client.base_url.join("/health"), timeout=10.0).json()
    return {name: str(said[name]) for name in ("rater", "encoder")}


def _environment(port: int, key: str) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - a child's surroundings, no setting
        if not name.startswith("WINNOW_")
    }
    own = {"HOST": "127.0.0.1", "PORT": str(port), "API_KEY": key}
    return {
        **inherited,
        **{f"WINNOW_LOCAL_LLM__{name}": value for name, value in own.items()},
        "OMP_NUM_THREADS": "1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(base: str, child: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while child.poll() is None and time.monotonic() < until:
        try:
            if httpx.get(f"{base}/health", timeout=2.0).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise UnavailableError(f"The local endpoint did not come up; its words are in {log}.")
