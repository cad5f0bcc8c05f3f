"""The bytes of an upload, unpacked within limits: a bomb or a cut-off file is told, not read."""

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from services.api.ingest.looks import PACKED, refuse_no_text, refuse_packed
from services.api.ingest.unzstd import unzstd
from services.shared.errors import MalformedError, TooLargeError

BLOCK = 1 << 20
RATIO_FROM = 16 * BLOCK  # small files repeat themselves honestly


def blocks(path: Path, *, compression: str | None, limit: int, ratio: int) -> Iterator[bytes]:
    """Yield the file's bytes in blocks of about 1 MiB.

    Raises MalformedError when it is damaged, cut off or plainly something else, TooLargeError over
    `limit` bytes or over `ratio` unpacked bytes per packed one.
    """
    packed, total = path.stat().st_size, 0
    for block in OPENERS[compression](path):
        if not total:
            refuse_packed(block, compression=compression)
            refuse_no_text(block)
        total += len(block)
        if total > limit:
            raise TooLargeError(f"Unpacked, the file is over the limit of {limit:,} bytes.")
        if compression and total > max(RATIO_FROM, packed * ratio):
            raise unpacks_too_much(ratio)
        yield block


def unpacks_too_much(ratio: int) -> TooLargeError:
    """Return the error of a bomb."""
    detail = f"The file unpacks to more than {ratio} times its size."
    return TooLargeError(detail, code="UNPACK_RATIO")


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _gunzipped(path: Path) -> Iterator[bytes]:
    _refuse_other(path, "gzip")
    try:
        with gzip.open(path, "rb") as file:
            while block := file.read(BLOCK):
                yield block
    except EOFError:
        raise MalformedError("The gzip stream is cut off.", code="TRUNCATED") from None
    except (gzip.BadGzipFile, zlib.error):
        raise MalformedError("The gzip stream is damaged.", code="BAD_GZIP") from None


def _unzstd(path: Path) -> Iterator[bytes]:
    _refuse_other(path, "zstd")
    with path.open("rb") as file:
        yield from unzstd(file)


def _refuse_other(path: Path, name: str) -> None:
    with path.open("rb") as file:
        head = file.read(4)
    magic = next(magic for magic, known in PACKED.items() if known == name)
    if head and not head.startswith(magic[: len(head)]):
        detail = f"Content-Encoding says {name}, but the file is no {name}."
        raise MalformedError(detail, code=f"BAD_{name.upper()}")


OPENERS: Mapping[str | None, Callable[[Path], Iterator[bytes]]] = {
    None: _plain,
    "gzip": _gunzipped,
    "zstd": _unzstd,
}
