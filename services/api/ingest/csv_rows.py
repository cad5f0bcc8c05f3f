"""CSV (RFC 4180, quotes may hold line ends) to batches of rows; and its foreign relatives."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Protocol

from services.api.ingest import attributes
from services.api.ingest.batch import CHARS, ROWS, Batch
from services.api.ingest.columns import KINDS, Layout, resolve, shape_of
from services.api.ingest.foreign import Shape, find
from services.api.ingest.lines import TOO_LONG, Lines
from services.api.ingest.looks import refuse_json
from services.api.ingest.plan import Options
from services.api.ingest.split_rows import SplitRows
from services.shared.errors import InvalidError, MalformedError

REASONS = {
    "unexpected end of data": "a quote is opened and never closed",
    "limit": "a field is over the limit for a row: is a quote opened and never closed",
    "expected after": "text follows a closing quote; a quote within a field is written twice",
}


class Fields(Protocol):
    """Rows of fields, as csv.reader yields them."""

    @property
    def line_num(self) -> int:
        """Return the number of lines read so far."""

    def __next__(self) -> list[str]:
        """Return the next row; csv.Error when it is none."""


class CsvRows:
    """Reads the header at once; InvalidError or MalformedError when it cannot be used.

    `row_bytes` also bounds what a quote that is never closed can swallow.
    """

    def __init__(self, lines: Lines, *, kind: str, options: Options, row_bytes: int) -> None:
        csv.field_size_limit(row_bytes)
        self._lines = lines
        text = iter(lines)
        first = next(text, "")
        refuse_json(first)
        shape = _headless(first, kind, options)
        if shape is not None and shape.delimiter is not None:
            self._delimiter = shape.delimiter
            self._reader: Fields = SplitRows(chain([first], text), self._delimiter)
            header: Sequence[str] = shape.headers
        else:
            self._delimiter = "\t" if "\t" in first and "," not in first else ","
            self._reader = csv.reader(chain([first], text), delimiter=self._delimiter, strict=True)
            header = self._header()
            shape = shape_of(KINDS[kind], options.preset, header, line=first)
        layout = _layout(header, shape, kind=kind, options=options)
        place = {header: number for number, header in enumerate(layout.headers)}
        self._width = len(layout.headers)
        self._picked = [place[header] for header in layout.picks.values()]
        self._others = [(name, place[name]) for name in {*layout.extras, *layout.texts}]
        self._layout = layout
        self._shape = shape
        self._nothing = shape.nothing if shape else frozenset[str]()
        self.columns = layout.columns

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
            detail = f"The header is no CSV: {_told(str(error))}."
            raise MalformedError(detail, code="BAD_HEADER") from None
        code = self._lines.fault(1, self._reader.line_num)
        if code is not None:
            raise MalformedError(self._lines.told(code, what="header"), code=code)
        if not any(header):
            raise MalformedError("The file is empty: it has no header.", code="EMPTY_FILE")
        if "" in header or "\0" in "".join(header):
            raise InvalidError("A column of the header has no name.", code="BAD_HEADER")
        return header

    def _fill(self, batch: Batch) -> bool:
        """Add rows until the batch is full; False when there are no more."""
        stop = self._lines.chars + CHARS
        for _ in range(ROWS):
            if self._lines.chars >= stop:
                break
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
            detail = self._lines.told(code)
            batch.reject(first, code, self._delimiter.join(row), detail=detail)
        elif len(row) == self._width:
            batch.add(first, self._values(row))
        elif row:  # an empty line is no row
            fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
            detail = f"The row has {fields} where the header has {self._width}."
            batch.reject(first, "FIELD_COUNT", self._delimiter.join(row), detail=detail)

    def _values(self, row: list[str]) -> Sequence[str | None]:
        values: list[str | None] = [row[place] for place in self._picked]
        if self._nothing:
            values = [None if value in self._nothing else value for value in values]
        if len(self.columns) > len(values):
            values += self._rest({name: row[place] for name, place in self._others if row[place]})
        return values

    def _rest(self, fields: dict[str, object]) -> Iterator[str | None]:
        """Yield the text that several fields make, and the attributes, where there are any."""
        if self._shape is not None:
            fields = self._shape.tidy(fields)
        if self._layout.texts:
            yield attributes.text_of(fields.get(name) for name in self._layout.texts)
        if self._layout.kind.open:
            kept = fields if self._layout.extras else {}
            yield attributes.pack({name: value for name, value in kept.items() if value != []})

    def _reject(self, batch: Batch, first: int, reason: str) -> None:
        """Reject all lines that the reader had taken in when it gave up."""
        span = self._reader.line_num - first + 1
        code = TOO_LONG if "limit" in reason else "MALFORMED_CSV"
        lines = "The line is" if span == 1 else f"These {span:,} lines are"
        detail = f"{lines} no CSV row: {_told(reason)}."
        batch.reject(first, code, "", detail=detail, span=span)


def _told(reason: str) -> str:
    """Return what csv says in words that name the cause."""
    return next((words for sign, words in REASONS.items() if sign in reason), reason)


def _headless(first: str, kind: str, options: Options) -> Shape | None:
    """Return the shape of a file that begins with a row at once, if its mapping was asked for."""
    if options.preset is None:
        return None
    return find((), line=first.rstrip("\r\n"), kind=kind, mapping=options.preset)


def _layout(header: Sequence[str], shape: Shape | None, *, kind: str, options: Options) -> Layout:
    mapping = options.mapping
    if shape is not None:
        header = [shape.header(name) for name in header]
        mapping = {column: shape.header(name) for column, name in mapping.items()}
    return resolve(
        KINDS[kind],
        header,
        mapping=mapping,
        ignore_unknown=options.ignore_unknown,
        shape=shape,
    )
