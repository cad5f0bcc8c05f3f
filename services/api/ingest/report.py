"""The rejected lines: all of them to a file, the first hundred beside the counts."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from services.api.ingest.batch import BadLine

SHOWN = 100


class Report:
    """Writes one JSON object a line, in the order of the lines."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.rejected = 0
        self.first: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, bad: Iterable[BadLine]) -> None:
        """Take the bad lines of one batch."""
        for line in sorted(bad, key=lambda line: line.line):
            told = line.to_json()
            self.rejected += line.span
            self._file.write(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))
            if len(self.first) < SHOWN:
                self.first.append(told)
