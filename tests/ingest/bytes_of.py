"""Bodies of uploads that a test names rather than spells: Parquet, archives, bombs."""

import gzip
import io
import zipfile
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

HEADER = b"user_id,item_id\n"
OBJECT = b'{"user_id":"u","item_id":"i"}\n'
LONG = HEADER + b"".join(b"u%d,i%d\n" % (n, n * n) for n in range(50_000))


def parquet(columns: dict[str, Any] | pa.Table, **how: object) -> bytes:
    """Return a Parquet file of these columns."""
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    target = io.BytesIO()
    pq.write_table(table, target, **how)
    return target.getvalue()


def archive(*names: str) -> bytes:
    """Return a zip archive of empty files; an .xlsx is one with [Content_Types].xml in it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for name in names:
            file.writestr(name, "")
    return target.getvalue()


def wide_window(body: bytes) -> bytes:
    """Return a zstd frame that asks its reader for 2 GiB."""
    asked = zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=asked).compressobj()
    return packer.compress(body) + packer.flush()


def bomb(packing: str) -> bytes:
    """Return a file of 400 MB in some kilobytes."""
    line = b"u" * 246 + b",i\n"
    if packing == "gzip":
        return gzip.compress(HEADER) + gzip.compress(line * 100_000) * 16
    return zstandard.compress(HEADER) + zstandard.compress(line * 100_000, 19) * 16
