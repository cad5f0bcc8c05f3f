"""Receives an upload: body to disk as it comes, then a first look; nothing else waits for it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.api.ingest import spool
from services.api.ingest.bounds import bounds
from services.api.ingest.columns import KINDS, check_mapping, check_preset
from services.api.ingest.glance import glance
from services.api.ingest.plan import Options
from services.api.ingest.sniff import open_rows
from services.api.ingest.spool import Spooled, Spooling
from services.shared.errors import UnsupportedMediaError
from services.shared.settings import settings

FORMATS = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}
ENCODINGS = {"": None, "identity": None, "gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}
PACKED_TYPES = {
    "application/gzip": "gzip",
    "application/x-gzip": "gzip",
    "application/zstd": "zstd",
}
BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Announced:
    """What an upload's headers and query say before its body comes."""

    kind: str
    options: Options
    length: int | None

    @classmethod
    def read(
        cls,
        headers: Mapping[str, str],
        *,
        kind: str,
        named_format: str | None,
        mapping: Mapping[str, str],
        preset: str | None,
        ignore_unknown: bool,
    ) -> "Announced":
        """Return it; raises UnsupportedMediaError, TooLargeError or InvalidError at once."""
        check_mapping(KINDS[kind], mapping)
        check_preset(KINDS[kind], preset)
        options = Options(
            format=named_format or _format(headers.get("content-type", "")),
            compression=_compression(headers.get("content-encoding", "")),
            mapping=mapping,
            preset=preset,
            ignore_unknown=ignore_unknown,
        )
        if options.format == "parquet" and options.compression is not None:
            raise UnsupportedMediaError(
                "Parquet is packed within: send it without Content-Encoding."
            )
        length = headers.get("content-length", "")
        announced = cls(
            kind=kind, options=options, length=int(length) if length.isdigit() else None
        )
        if announced.length is not None and announced.length > settings().limits.upload_bytes:
            raise spool.over(settings().limits.upload_bytes)
        return announced


async def receive(
    body: AsyncIterator[bytes], announced: Announced, *, project_id: UUID, import_id: UUID
) -> Spooled:
    """Return the received file, durable; on any error nothing of it is left.

    Raises TooLargeError, UnavailableError (disk full), MalformedError and InvalidError.
    """
    path = spool.folder() / spool.name_for(project_id, import_id)
    spooling = await asyncio.to_thread(Spooling, path, limit=settings().limits.upload_bytes)
    try:
        async for block in _large(body):
            await asyncio.to_thread(spooling.write, block)
        spooled = await asyncio.to_thread(spooling.finish)
        await asyncio.to_thread(_look, spooled, announced)
    except BaseException:
        spooling.forget()
        raise
    return spooled


def _look(spooled: Spooled, announced: Announced) -> None:
    if announced.options.format == "parquet":
        glance(spooled.path, kind=announced.kind, options=announced.options, bounds=bounds())
    else:
        open_rows(spooled.path, kind=announced.kind, options=announced.options, bounds=bounds())


async def _large(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Join small pieces: one hop to a thread a megabyte, not one a packet."""
    pieces: list[bytes] = []
    size = 0
    async for piece in body:
        pieces.append(piece)
        size += len(piece)
        if size >= BLOCK:
            yield b"".join(pieces)
            pieces, size = [], 0
    yield b"".join(pieces)


def _format(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in PACKED_TYPES:
        raise UnsupportedMediaError(
            f"{kind} says how the file is packed, not what is in it: send "
            f"Content-Encoding: {PACKED_TYPES[kind]} and the Content-Type of what is within."
        )
    if kind not in FORMATS:
        raise UnsupportedMediaError(
            "Content-Type must be text/csv, application/x-ndjson or "
            "application/vnd.apache.parquet, or format=csv|ndjson|parquet given."
        )
    return FORMATS[kind]


def _compression(content_encoding: str) -> str | None:
    coding = content_encoding.strip().lower()
    if coding not in ENCODINGS:
        raise UnsupportedMediaError("Content-Encoding must be gzip, zstd, identity or absent.")
    return ENCODINGS[coding]
