"""Some thousand rows on their way through the parser, and the lines that fell out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

ROWS = 50_000
CHARS = 32 << 20  # of the lines that make a batch: long texts make it shorter
SAMPLE = 200


@dataclass(frozen=True)
class BadLine:
    """A rejected row: the line it begins on, a code, a sentence, the row's first characters."""

    line: int
    code: str
    detail: str
    sample: str
    span: int = 1  # lines lost with it, where a quote swallowed them

    def to_json(self) -> dict[str, Any]:
        """Return the fields that the report shows."""
        sample = self.sample[:SAMPLE].replace("\0", "\N{SYMBOL FOR NULL}")
        return {"line": self.line, "code": self.code, "detail": self.detail, "sample": sample}


@dataclass
class Batch:
    """Rows as tuples of texts in the order of `columns`, each with the line it begins on."""

    columns: tuple[str, ...]
    lines: list[int] = field(default_factory=list)
    rows: list[Sequence[str | None]] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows) + len(self.bad)

    def add(self, line: int, row: Sequence[str | None]) -> None:
        """Take a row."""
        self.lines.append(line)
        self.rows.append(row)

    def reject(self, line: int, code: str, sample: str, *, detail: str, span: int = 1) -> None:
        """Take note of a row that cannot be read."""
        self.bad.append(BadLine(line, code, detail, sample, span))
