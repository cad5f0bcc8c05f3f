"""What the demo uploads: the generated bookshop, or a folder of real data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from winnow.bookshop.files import TRUTH, UPLOADED, write_shop
from winnow.bookshop.shop import DEFAULT_READERS, make_shop
from winnow.demo.convert import csv_of_parquet, ndjson_of_jsonl, packed, titles_of
from winnow.demo.failures import DemoError

CSV, NDJSON = "text/csv", "application/x-ndjson"
# What fits the time that a person waits on two cores: 5 minutes for the shop, 60 for real data.
SHOP_PAIRS = 6_000
DATA_PAIRS = 20_000
# Chosen on the shops' validation split (docs/log.md): more of the edges there are, smaller batches,
# and no contrast, which costs a shop of this size more than it brings.
SHOP_PARAMS: dict[str, float] = {
    "n1": 2,
    "n2": 4,
    "B": 512,
    "epochs": 30,
    "patience": 8,
    "lambda_1": 0.0,
    "lambda_2": 0.0,
}
NEEDED = ("interactions.parquet", "items.jsonl.gz", "users.jsonl.gz")


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One import: `open` gives a path or a fresh stream of bytes."""

    kind: str
    content_type: str
    content_encoding: str | None
    open: Callable[[], Path | Iterable[bytes]]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Data to upload, the items' titles for display, and the truth where noise was planted."""

    name: str
    folder: Path
    uploads: tuple[Upload, ...]
    titles: dict[str, str]
    truth: Path | None
    params: dict[str, float]
    budget_pairs: int


def bookshop(folder: Path, *, seed: int, readers: int = DEFAULT_READERS) -> Source:
    """Generate the bookshop into a folder and return it as a source."""
    write_shop(make_shop(seed, readers=readers), folder, seed=seed)
    types = {"users": NDJSON, "items": NDJSON, "interactions": CSV}
    return Source(
        name=f"bookshop (seed {seed})",
        folder=folder,
        uploads=tuple(_plain(kind, folder / UPLOADED[kind], types[kind]) for kind in types),
        titles=titles_of(folder / UPLOADED["items"]),
        truth=folder / TRUTH,
        params=SHOP_PARAMS,
        budget_pairs=SHOP_PAIRS,
    )


def real_data(folder: Path) -> Source:
    """Return a folder of interactions.parquet, items.jsonl.gz and users.jsonl.gz as a source.

    Raises:
        DemoError: a file is missing.
    """
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise DemoError(f"{folder} is no data folder: {', '.join(missing)} not found there.")
    interactions, items, users = (folder / name for name in NEEDED)
    return Source(
        name=folder.name,
        folder=folder,
        uploads=(
            _gzipped("users", NDJSON, lambda: ndjson_of_jsonl(users)),
            _gzipped("items", NDJSON, lambda: ndjson_of_jsonl(items)),
            _gzipped("interactions", CSV, lambda: csv_of_parquet(interactions)),
        ),
        titles=titles_of(items),
        truth=None,
        params={},
        budget_pairs=DATA_PAIRS,
    )


def _plain(kind: str, path: Path, content_type: str) -> Upload:
    return Upload(kind=kind, content_type=content_type, content_encoding=None, open=lambda: path)


def _gzipped(kind: str, content_type: str, lines: Callable[[], Iterable[bytes]]) -> Upload:
    return Upload(
        kind=kind,
        content_type=content_type,
        content_encoding="gzip",
        open=lambda: packed(lines()),
    )
