"""The bytes of an upload, unpacked within limits: a bomb or a cut-off file is told, not read."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from services.shared.errors import MalformedError, TooLargeError

BLOCK = 1 << 20
RATIO_FROM = 16 * BLOCK  # small files repeat themselves honestly
GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, 2.3.1


def blocks(path: Path, *, compression: str | None, limit: int, ratio: int) -> Iterator[bytes]:
    """Yield the file's bytes in blocks of at most 1 MiB.

    Raises MalformedError when gzip is damaged or cut off, TooLargeError over `limit` bytes or
    over `ratio` unpacked bytes per packed one.
    """
    packed, total = path.stat().st_size, 0
    for block in _plain(path) if compression is None else _gunzipped(path):
        total += len(block)
        if total > limit:
            raise TooLargeError(f"Unpacked, the file is over the limit of {limit:,} bytes.")
        if compression and total > max(RATIO_FROM, packed * ratio):
            raise TooLargeError(
                f"The file unpacks to more than {ratio} times its size.", code="UNPACK_RATIO"
            )
        yield block


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            if file.tell() == len(block) and block.startswith(GZIP_MAGIC):
                raise MalformedError(
                    "The file looks like gzip: send it with Content-Encoding: gzip.",
                    code="LOOKS_LIKE_GZIP",
                )
            yield block


def _gunzipped(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as file:
            while block := file.read(BLOCK):
                yield block
    except EOFError:
        raise MalformedError("The gzip stream is cut off.", code="TRUNCATED") from None
    except (gzip.BadGzipFile, zlib.error):
        raise MalformedError("The file is no sound gzip.", code="BAD_GZIP") from None
