"""Bytes to numbered lines of text; what is wrong with a line is kept under its number."""

import io
from collections.abc import Iterable, Iterator

from services.shared.errors import MalformedError

BOM = b"\xef\xbb\xbf"
WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
TOO_LONG, NOT_UTF8 = "ROW_TOO_LONG", "NOT_UTF8"


class Lines:
    """Iterates over the lines of a stream, ends included; memory is a few blocks at any size.

    `number` is the number of the line that came last, from 1, and `chars` how many came so far.
    `faults` is line number → code: a line that is too long comes cut off, one that is no UTF-8
    with U+FFFD in it, or, where `latin` allows for it, as Latin-1.
    """

    def __init__(self, blocks: Iterable[bytes], *, limit: int, latin: bool = False) -> None:
        self._blocks = blocks
        self._limit = limit
        self._latin = latin
        self.number = 0
        self.chars = 0
        self.faults: dict[int, str] = {}

    def __iter__(self) -> Iterator[str]:
        """Yield each line."""
        for piece in self._pieces():
            for line in io.StringIO(self._decoded(piece), newline=""):
                self.number += 1
                self.chars += len(line)
                if len(line) > self._limit:
                    self.faults[self.number] = TOO_LONG
                    yield line[: self._limit] + "\n"
                else:
                    yield line

    def fault(self, first: int, last: int) -> str | None:
        """Return the code of the first bad line among these, if there is one."""
        if not self.faults:
            return None
        return next((self.faults[n] for n in range(first, last + 1) if n in self.faults), None)

    def told(self, code: str, *, what: str = "line") -> str:
        """Return a fault's code as a sentence."""
        return (
            f"The {what} is "
            + {
                TOO_LONG: f"over {self._limit:,} bytes.",
                NOT_UTF8: "no UTF-8.",
            }[code]
        )

    def _pieces(self) -> Iterator[bytes]:
        """Yield whole lines, many at a time."""
        rest, skipping, first = b"", False, True
        for packed in self._blocks:
            block = _without_bom(packed) if first else packed
            first = False
            if skipping:
                _, end, block = block.partition(b"\n")
                skipping = not end
            whole, end, rest = (rest + block).rpartition(b"\n")
            if end:
                yield whole + end
            if len(rest) > self._limit:
                self.faults[self.number + 1] = TOO_LONG
                yield rest[: self._limit] + b"\n"
                rest, skipping = b"", True
        if rest:
            yield rest

    def _decoded(self, piece: bytes) -> str:
        try:
            return piece.decode()
        except UnicodeDecodeError:
            if self._latin:
                return "".join(_latin_or_utf8(line) for line in io.BytesIO(piece))
            lines = io.BytesIO(piece)
            for number, line in enumerate(lines, start=self.number + 1):
                if not _is_utf8(line):
                    self.faults.setdefault(number, NOT_UTF8)
            return piece.decode(errors="replace")


def _without_bom(block: bytes) -> bytes:
    if block.startswith(WIDE_BOMS):
        raise MalformedError("The file is UTF-16; send UTF-8.", code=NOT_UTF8)
    return block.removeprefix(BOM)


def _latin_or_utf8(line: bytes) -> str:
    return line.decode() if _is_utf8(line) else line.decode("latin-1")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
