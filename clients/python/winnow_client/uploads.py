"""The body of an upload: a file that can be read again, or a stream that can be sent once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from winnow_client.transport import Body

CHUNK = 1 << 20


@runtime_checkable
class Readable(Protocol):
    """An open binary file, or what reads like one."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


Source = Path | str | Readable | Iterable[bytes]
NDJSON = "application/x-ndjson"
TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".ndjson": NDJSON,
    ".jsonl": NDJSON,
    ".json": NDJSON,  # as Amazon's reviews are named; an array is told apart by the service
    ".parquet": "application/vnd.apache.parquet",
    ".inter": "text/csv",  # RecBole's
    ".user": "text/csv",  # RecBole's, and u.user of MovieLens
    ".item": "text/csv",
    ".data": "text/csv",  # u.data of MovieLens
    ".dat": "text/csv",  # ratings.dat and its like
}
PACKINGS = {".gz": "gzip", ".zst": "zstd"}


def body_of(source: Source) -> tuple[Body, bool]:
    """Return a function that opens the body, and whether it may be called twice."""
    if isinstance(source, str | Path):
        path = Path(source)
        return lambda: _read_path(path), True
    if isinstance(source, Readable):
        return lambda: _read_file(source), False
    return lambda: iter(source), False


def media_of(
    source: Source, *, content_type: str | None, content_encoding: str | None
) -> dict[str, str]:
    """Return the headers that say what the body is, by a path's ending where they are not given.

    Raises ValueError where nothing tells the type.
    """
    endings = Path(source).suffixes if isinstance(source, str | Path) else []
    if endings and endings[-1] in PACKINGS:
        content_encoding = content_encoding or PACKINGS[endings[-1]]
        endings = endings[:-1]
    kind = content_type or TYPES.get(endings[-1] if endings else "")
    if kind is None:
        name = str(source) if isinstance(source, str | Path) else "the source"
        raise ValueError(f"{name}: nothing tells its type; name a content_type, such as text/csv")
    return {"Content-Type": kind} | (
        {"Content-Encoding": content_encoding} if content_encoding else {}
    )


def _read_path(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _read_file(file)


def _read_file(file: Readable) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
