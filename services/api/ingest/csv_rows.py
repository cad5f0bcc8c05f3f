"""CSV (RFC 4180, quotes may hold line ends) to batches of rows."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain

import orjson

from services.api.ingest.batch import ROWS, Batch
from services.api.ingest.columns import ATTRIBUTES, KINDS, resolve
from services.api.ingest.lines import TOO_LONG, Lines
from services.api.ingest.plan import Options
from services.shared.errors import InvalidError, MalformedError


class CsvRows:
    """Reads the header at once; InvalidError or MalformedError when it cannot be used.

    `row_bytes` also bounds what a quote that is never closed can swallow.
    """

    def __init__(self, lines: Lines, *, kind: str, options: Options, row_bytes: int) -> None:
        csv.field_size_limit(row_bytes)
        text = iter(lines)
        first = next(text, "")
        self._delimiter = "\t" if "\t" in first and "," not in first else ","
        self._lines = lines
        self._reader = csv.reader(chain([first], text), delimiter=self._delimiter, strict=True)
        layout = resolve(
            KINDS[kind],
            self._header(),
            mapping=options.mapping,
            ignore_unknown=options.ignore_unknown,
        )
        self._width = len(layout.headers)
        self._picked = [layout.headers.index(header) for header in layout.picks.values()]
        self._extras = [(name, layout.headers.index(name)) for name in layout.extras]
        self.columns = tuple(layout.picks) + ((ATTRIBUTES,) if layout.kind.open else ())

    def batches(self) -> Iterator[Batch]:
        """Yield the rows, some thousand at a time."""
        more = True
        while more:
            batch = Batch(self.columns)
            more = self._fill(batch)
            yield batch

    def _header(self) -> list[str]:
        try:
            header = [name.strip() for name in next(self._reader, [])]
        except csv.Error as error:
            raise MalformedError(f"The header is no CSV: {error}.", code="BAD_HEADER") from None
        code = self._lines.fault(1, self._reader.line_num)
        if code is not None:
            raise MalformedError("The header is too long or no UTF-8.", code=code)
        if not any(header):
            raise MalformedError("The file is empty: it has no header.", code="EMPTY_FILE")
        if "" in header or "\0" in "".join(header):
            raise InvalidError("A column of the header has no name.", code="BAD_HEADER")
        return header

    def _fill(self, batch: Batch) -> bool:
        """Add rows until the batch is full; False when there are no more."""
        while len(batch) < ROWS:
            first = self._reader.line_num + 1
            try:
                row = next(self._reader)
            except StopIteration:
                return False
            except csv.Error as error:
                self._reject(batch, first, str(error))
            else:
                self._take(batch, first, row)
        return True

    def _take(self, batch: Batch, first: int, row: list[str]) -> None:
        code = self._lines.fault(first, self._reader.line_num)
        if code is not None:
            batch.reject(first, code, self._delimiter.join(row))
        elif len(row) == self._width:
            batch.add(first, self._values(row))
        elif row:  # an empty line is no row
            detail = f"The row has {len(row)} fields and the header {self._width}."
            batch.reject(first, "FIELD_COUNT", self._delimiter.join(row), detail=detail)

    def _values(self, row: list[str]) -> Sequence[str | None]:
        values = [row[place] for place in self._picked]
        if len(self.columns) > len(values):
            extras = {name: row[place] for name, place in self._extras if row[place]}
            values.append(orjson.dumps(extras).decode())
        return values

    def _reject(self, batch: Batch, first: int, reason: str) -> None:
        """Reject all lines that the reader had taken in when it gave up."""
        span = self._reader.line_num - first + 1
        code = TOO_LONG if "limit" in reason else "MALFORMED_CSV"
        detail = f"{span:,} lines from here on are no CSV row: {reason}."
        batch.reject(first, code, "", detail=detail, span=span)
