"""Lines to fields at a delimiter that no field is ever quoted for, as old data sets have them."""

from collections.abc import Iterator
from typing import Self


class SplitRows:
    """Iterates over rows as csv.reader does, `line_num` included."""

    def __init__(self, lines: Iterator[str], delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self.line_num = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[str]:
        """Return the fields of the next line; none for an empty one."""
        line = next(self._lines).rstrip("\r\n")
        self.line_num += 1
        return line.split(self._delimiter) if line else []
