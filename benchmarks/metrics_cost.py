"""What counting costs a recommendation: the same requests with and without it, in turns.

    python -m benchmarks.metrics_cost [--rounds 40] [--requests 2000]

No socket, no database: the ASGI application from its outermost layer to the mapped list, in one
process, with a key that is remembered. Each round serves the same requests once with the counting
and once with it taken out, the order changing; the medians of the rounds' CPU times are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NoReturn

from services.api.auth import Caller, Keyring, _Known, new_secret
from services.api.boundary import Boundary
from services.api.gate import BodyLimit, Gate
from services.api.hot import Hot
from services.api.metrics import Meter
from services.api.served import Lists, Pointer, Pointers, Published, Shelf
from services.shared import log, toplists
from services.shared.ids import new_id
from services.shared.toplists import TopLists

Scope = dict[str, Any]


class Uncounted:
    """Stands in the counters' place."""

    in_flight = 0

    def note(self, *_: object) -> None:
        """Count nothing."""


def main() -> None:
    """Measure, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=2000)
    options = parser.parse_args()
    log.configure("bench", level="WARNING")
    with tempfile.TemporaryDirectory(prefix="winnow-cost-") as folder:
        plain, counted = _measured(Path(folder), options.rounds, options.requests)
    differences = [one - other for one, other in zip(counted, plain, strict=True)]
    low, _, high = quantiles(differences, n=4)
    print(f"without counting {median(plain):.2f} us, with it {median(counted):.2f} us a request")
    print(f"difference {median(differences):.2f} us (middle half {low:.2f} to {high:.2f})")


def _measured(folder: Path, rounds: int, requests: int) -> tuple[list[float], list[float]]:
    """Return the microseconds a request of each round, without and with the counting."""
    apps, scope = _apps(folder)
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 2):
        for which in (0, 1) if number % 2 else (1, 0):
            took = asyncio.run(_serve(apps[which], scope, requests))
            if number >= 2:  # the first two warm up
                found[which].append(took)
    return found


async def _serve(app: Boundary, scope: Scope, requests: int) -> float:
    async def receive() -> NoReturn:
        raise AssertionError("a GET has no body")

    async def send(message: dict[str, Any]) -> None:
        if message.get("status", 200) != 200:
            raise SystemExit(f"The application answers {message['status']}.")

    begun = time.thread_time()
    for _ in range(requests):
        await app(dict(scope), receive, send)
    return (time.thread_time() - begun) / requests * 1e6


def _apps(folder: Path) -> tuple[list[Boundary], Scope]:
    project, dataset, model = new_id(), new_id(), new_id()
    rows = [("reader", [(f"book {n:03}", 1.0 - n / 200, []) for n in range(100)])]
    toplists.write(folder / "lists.bin", rows, length=100, popular=rows[0][1])
    lists = TopLists(folder / "lists.bin")
    published = Published(
        model_id=model,
        dataset_id=dataset,
        dataset_version=1,
        default_graph="raw",
        manifest_path="",
        manifest_sha256="",
    )
    pointers, shelf, keyring = Pointers(), Shelf(_no_store), Keyring()
    far = time.monotonic() + 1e6  # never to be read again
    pointers._known[project, dataset] = Pointer(published, far)  # noqa: SLF001 - no database
    shelf._mapped[model] = Lists(published, {"raw": lists, "denoised": lists})  # noqa: SLF001 - no database
    prefix, key, _ = new_secret()
    secret = hashlib.sha256(key.split("_")[2].encode()).digest()
    keyring._known[prefix] = _Known(Caller("read", project), secret, None, far)  # noqa: SLF001 - no database
    path = f"/v1/datasets/{dataset}/recommendations/reader"
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"k=20",
        "headers": [(b"authorization", f"Bearer {key}".encode())],
    }
    rest = Hot(_nothing_else, pointers, shelf)
    meters: list[Any] = [Uncounted(), Meter()]
    return [Boundary(Gate(BodyLimit(rest), keyring), meter) for meter in meters], scope


async def _nothing_else(*_: object) -> NoReturn:
    raise AssertionError("only recommendations are asked for")


def _no_store() -> NoReturn:
    raise AssertionError("the lists are mapped")


if __name__ == "__main__":
    main()
