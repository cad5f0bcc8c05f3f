"""One question to each thing that the service depends on; each answers within a second or two.

A new dependency is a function that returns a Finding, and its line in `probes`.
"""

import shutil
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import psycopg
from redis.exceptions import AuthenticationError, RedisError

from services.api.served import Scorer, Shelf
from services.shared import presence
from services.shared.db.ping import ping
from services.shared.errors import OutgoingRefusedError, UnavailableError
from services.shared.outgoing import PinnedTarget, guard
from services.shared.queues import Queue
from services.shared.settings import settings

Status = Literal["ok", "degraded", "away", "not configured"]
TIMEOUT_SECONDS = 1.0
ROOM_BYTES = 2**30
"""With less than this left on a disk, `winnow up` would not start either."""


@dataclass(frozen=True)
class Finding:
    """How a dependency is; the detail says why where it is not well."""

    status: Status
    detail: str | None = None


@dataclass(frozen=True)
class Probe:
    """A question, and for how many seconds its answer stands."""

    ask: Callable[[], Finding]
    fresh_seconds: float = 1.0


def probes(shelf: Shelf, scorer: Scorer) -> Mapping[str, Probe]:
    """Return every dependency of the api by name."""
    return {
        "postgres": Probe(postgres),
        "lists": Probe(lambda: lists(shelf), fresh_seconds=0.0),  # costs nothing
        "valkey": Probe(valkey),
        "workers": Probe(workers),
        "llm": Probe(lambda: endpoint(settings().llm.base_url, "/models"), fresh_seconds=5.0),
        "embedder": Probe(
            lambda: endpoint(settings().embedder.base_url, "/models"), fresh_seconds=5.0
        ),
        "scorer": Probe(lambda: Finding(scorer.health())),
        "spool": Probe(lambda: disk(settings().spool_dir), fresh_seconds=5.0),
        "artifacts": Probe(artifacts, fresh_seconds=5.0),
    }


def postgres() -> Finding:
    """Log in and ask the least question."""
    try:
        ping()
    except psycopg.Error as error:
        return Finding("away", type(error).__name__)
    return Finding("ok")


def lists(shelf: Shelf) -> Finding:
    """Say whether every list that was asked for has a sound file."""
    health = shelf.health()
    if health == "missing":
        return Finding("away", "A list file is damaged, and no older one stands in for it.")
    if health == "refused":
        return Finding("degraded", "A list file is damaged; the one before it serves on.")
    return Finding("ok")


def valkey() -> Finding:
    """Ask for a PONG under the password."""
    try:
        with presence.connect() as client:
            client.ping()
    except AuthenticationError:
        return Finding("away", "It refuses the password of WINNOW_REDIS_URL.")
    except (RedisError, OSError) as error:
        return Finding("away", type(error).__name__)
    return Finding("ok")


def workers() -> Finding:
    """Say from which queues nobody takes."""
    try:
        with presence.connect() as client:
            idle = presence.missing(client)
    except (RedisError, OSError):
        return Finding("away", "Valkey, where workers tell of themselves, is away.")
    if not idle:
        return Finding("ok")
    names = ", ".join(idle)
    status: Status = "away" if len(idle) == len(Queue) else "degraded"
    return Finding(status, f"No worker takes from: {names}.")


def endpoint(base_url: str, path: str) -> Finding:
    """Say whether anybody speaks HTTP at a URL; no key is shown and nothing is paid for.

    So a 401 is as good an answer as any: it is the worker that has the key.
    """
    if not base_url:
        return Finding("not configured")
    try:
        target = guard(base_url.rstrip("/") + path, allow=settings().outgoing_allow)
        status = _status(target)
    except OutgoingRefusedError as error:
        return Finding("away", f"{error.detail} See WINNOW_OUTGOING_ALLOW.")
    except UnavailableError as error:
        return Finding("away", error.detail)
    except OSError as error:
        return Finding("away", type(error).__name__)
    if status is None:
        return Finding("away", "What answers there speaks no HTTP.")
    return Finding("degraded", f"HTTP status {status}") if status >= 500 else Finding("ok")


def artifacts() -> Finding:
    """Say whether the store's disk has room; an object store is asked by who uses it."""
    url = urlsplit(settings().artifacts_url)
    if url.scheme not in {"", "file"}:
        return Finding("ok", "an object store")
    return disk(Path(unquote(url.path)) if url.path else None)


def disk(folder: Path | None) -> Finding:
    """Say how much room there is where the folder is or will be."""
    if folder is None:
        return Finding("not configured")
    there = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding("away", type(error).__name__)
    detail = f"{free / 2**30:.1f} GiB free"
    return Finding("ok", detail) if free >= ROOM_BYTES else Finding("degraded", detail)


def _status(target: PinnedTarget) -> int | None:
    """Return the status of an answer's first line; None when the line is no HTTP's."""
    request = f"GET {target.target} HTTP/1.1\r\nHost: {target.host_header}\r\nConnection: close\r\n"
    with socket.create_connection((target.address, target.port), TIMEOUT_SECONDS) as plain:
        spoken = plain
        if target.scheme == "https":
            tls = ssl.create_default_context()
            spoken = tls.wrap_socket(plain, server_hostname=target.host)
        spoken.sendall(f"{request}Accept: application/json\r\n\r\n".encode("ascii"))
        line = spoken.recv(64).split(b"\r\n")[0].split()
    if len(line) < 2 or not line[0].startswith(b"HTTP/") or not line[1].isdigit():
        return None
    return int(line[1])
