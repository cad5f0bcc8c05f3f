"""The texts of a run's snapshot, read from its Parquet files: users.parquet, items.parquet."""

from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

import polars as pl

from services.shared.artifacts import ArtifactStore
from services.shared.db.tables import Run
from services.shared.errors import ConflictError
from services.shared.settings import settings
from services.shared.stages import StageName

Side = Literal["users", "items"]
SIDES: tuple[Side, ...] = ("users", "items")

CHUNK_ROWS = 20_000


class Texts:
    """Texts by id, and texts to embed by hash; a missing text is empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, side: Side, ids: Collection[str]) -> dict[str, str]:
        """Return the texts of these ids; an id that is unknown is not in it."""
        wanted = pl.col("id").is_in(list(ids))
        rows = self._scan(side).filter(wanted).select("id", pl.col("text").fill_null("")).collect()
        return dict(zip(rows["id"].to_list(), rows["text"].to_list(), strict=True))

    def count(self) -> int:
        """Return how many rows of both sides have a text that says something."""
        return sum(int(self._worded(side).select(pl.len()).collect().item()) for side in SIDES)

    def chunks(self) -> Iterator[list[tuple[bytes, str]]]:
        """Yield (SHA-256, text) of every such row, some thousands at a time."""
        for side in SIDES:
            rows = self._worded(side).select("text_sha256", "text")
            for start in range(0, int(rows.select(pl.len()).collect().item()), CHUNK_ROWS):
                yield rows.slice(start, CHUNK_ROWS).collect().rows()

    def _worded(self, side: Side) -> pl.LazyFrame:
        return self._scan(side).filter(pl.col("text").str.strip_chars().str.len_chars() > 0)

    def _scan(self, side: Side) -> pl.LazyFrame:
        return pl.scan_parquet(self._folder / f"{side}.parquet")


def texts_of(run: Run) -> Texts:
    """Return the run's texts; ConflictError before its snapshot is taken."""
    pointer = run.artifacts.get(StageName.SNAPSHOT.value)
    if pointer is None:
        raise ConflictError("The run has no snapshot.")
    return Texts(_verified(pointer["path"], pointer["sha256"]))


@lru_cache(maxsize=8)
def _verified(path: str, sha256: str) -> Path:
    """Check a snapshot's hashes once per process, not once per batch."""
    return ArtifactStore(settings().require("artifacts_url")).open(path, sha256=sha256)
