"""`python -m tests.shared.tiny_disk FOLDER`: what becomes of writers on a disk of 256 KiB.

Run in a mount namespace of its own, where FOLDER is a file system of that size; tells what it saw
as JSON.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import numpy as np
import polars as pl
from safetensors.numpy import save_file

from services.api.ingest.spool import Spooling
from services.shared import disk
from services.shared.artifacts import ArtifactStore
from services.shared.artifacts.manifest import MANIFEST
from services.shared.errors import DiskFullError, WinnowError
from services.shared.settings import settings

NUMBERS = np.random.default_rng(0).random(60_000)  # 480 kB that nothing packs


def _bytes(folder: Path) -> None:
    (folder / "some").write_bytes(b"x" * 100_000)
    with (folder / "more").open("wb") as file:
        for _ in range(10):
            file.write(b"x" * 50_000)


def _parquet(folder: Path) -> None:
    pl.DataFrame({"number": NUMBERS}).write_parquet(folder / "numbers.parquet")


def _csv(folder: Path) -> None:
    with (folder / "numbers.csv").open("wb") as file:
        pl.DataFrame({"number": NUMBERS}).write_csv(file)


def _tensors(folder: Path) -> None:
    save_file({"numbers": NUMBERS}, folder / "numbers.safetensors")


WRITERS: dict[str, Callable[[Path], None]] = {
    "bytes": _bytes,
    "parquet": _parquet,
    "csv": _csv,
    "tensors": _tensors,
}


@contextmanager
def _ballast(folder: Path, size: int) -> Iterator[None]:
    path = folder / "ballast"
    path.write_bytes(b"x" * size)
    yield
    path.unlink()


def _store(write: Callable[[Path], None], root: Path) -> dict[str, object]:
    """Return how publishing ended and what is left of it."""
    store = ArtifactStore(settings().artifacts_url)
    try:
        with store.writing("runs/1/train") as draft:
            write(draft.folder)
    except DiskFullError as error:
        left = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        return {"detail": error.detail, "needs": error.needs, "left": left}
    return {"published": draft.manifest.path.endswith(MANIFEST)}


def _upload(root: Path) -> dict[str, object]:
    path = root / "uploads" / f"{UUID(int=1)}_{UUID(int=2)}"
    spooling = Spooling(path, limit=10**9)
    try:
        for _ in range(10):
            spooling.write(b"x" * 50_000)
        spooling.finish()
    except WinnowError as error:
        spooling.forget()
        return {"detail": error.detail, "left": [p.name for p in path.parent.iterdir()]}
    return {}


def main(root: Path) -> None:
    """Write until there is no room, make room, and write again."""
    told: dict[str, object] = {name: _store(write, root) for name, write in WRITERS.items()}
    told["upload"] = _upload(root)
    room = settings().disk_room_bytes
    with _ballast(root, 200_000):
        short = disk.shortage(room)
        told["short"] = short and short.detail
        told["small"] = _store(lambda folder: (folder / "x").write_bytes(b"x" * 90_000), root)
    told["roomy"] = disk.shortage(room)
    told["after"] = _store(lambda folder: (folder / "x").write_bytes(b"x" * 90_000), root)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
