"""Ten times the rows, the same memory: each format in the import's own process."""

from pathlib import Path

import polars as pl
import pytest

from benchmarks.ingest import log, parse, write

SMALL, LARGE = 100_000, 1_000_000
GROWTH = 48 << 20
"""Of 900,000 rows: 16 bytes each tell doubles (14 MB), the rest is what allocators keep."""


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return log(LARGE).select("user_id", "item_id", "timestamp")


@pytest.mark.parametrize(
    ("form", "packing"), [("csv", "zstd"), ("ndjson", "gzip"), ("parquet", "zstd")]
)
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, frame: pl.DataFrame, form: str, packing: str
) -> None:
    peaks = []
    for rows in (SMALL, LARGE):
        path = write(frame.head(rows), tmp_path, form, packing)
        outcome, ran = parse(path, form, packing)
        path.unlink()
        assert (outcome.failure, outcome.accepted + outcome.duplicates) == (None, rows)
        assert ran.peak_bytes > 50 << 20  # or it was not measured
        peaks.append(ran.peak_bytes)
    assert peaks[1] - peaks[0] < GROWTH, peaks
