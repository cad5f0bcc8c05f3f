"""Real data in the form of the uploads, converted while it streams: nothing lies in memory."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from winnow.demo.failures import DemoError

COLUMNS = ("user_id", "item_id", "split")
GZIP_WINDOW = 31  # zlib's code for a gzip header and the largest window


def csv_of_parquet(path: Path) -> Iterator[bytes]:
    """Yield the interactions as CSV with a header: ids as text, the published split as a column.

    Raises:
        DemoError: a column is missing.
    """
    with pq.ParquetFile(path) as file:
        absent = set(COLUMNS) - set(file.schema_arrow.names)
        if absent:
            raise DemoError(f"{path} has no column {', '.join(sorted(absent))}.")
        yield (",".join(COLUMNS) + "\n").encode()
        for batch in file.iter_batches(columns=list(COLUMNS)):
            columns = [batch.column(name).to_pylist() for name in COLUMNS]
            rows = zip(*columns, strict=True)
            yield "".join(",".join(map(_quoted, row)) + "\n" for row in rows).encode()


def ndjson_of_jsonl(path: Path) -> Iterator[bytes]:
    """Yield each profile as one line of NDJSON, its id as text, without what is null."""
    for row in _rows(path):
        kept = {name: value for name, value in row.items() if value is not None}
        kept["id"] = str(row["id"])
        yield (json.dumps(kept, ensure_ascii=False) + "\n").encode()


def titles_of(path: Path) -> dict[str, str]:
    """Return what to call each item: its title, else a guessed one, else its first words."""
    return {str(row["id"]): _title(row) for row in _rows(path)}


def packed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks as one gzip stream."""
    squeeze = zlib.compressobj(level=6, wbits=GZIP_WINDOW)
    for chunk in chunks:
        if out := squeeze.compress(chunk):
            yield out
    yield squeeze.flush()


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    read = gzip.open if path.suffix == ".gz" else open
    with read(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _title(row: dict[str, Any]) -> str:
    known = row.get("title") or row.get("title_guess")
    return str(known) if known else f"“{str(row.get('text', ''))[:40]}…” ({row['id']})"


def _quoted(value: object) -> str:
    text = str(value)
    if any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text
