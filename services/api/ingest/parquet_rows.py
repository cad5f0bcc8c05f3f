"""Parquet to batches of columns, a few thousand rows at a time; its footer is trusted in nothing.

A file of 300 bytes can claim sizes of gigabytes (apache/arrow#49955), so this runs in the limited
process alone, never in the api's.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from services.api.ingest import attributes
from services.api.ingest.batch import CHARS, ROWS, BadLine
from services.api.ingest.columns import ATTRIBUTES, KINDS, resolve, shape_of
from services.api.ingest.looks import refuse_no_parquet
from services.api.ingest.parquet_types import (
    check_attribute,
    check_column,
    is_time,
    to_moments,
    to_texts,
)
from services.api.ingest.plan import Bounds, Options
from services.api.ingest.unpack import RATIO_FROM, unpacks_too_much
from services.shared.errors import InvalidError, MalformedError, TooLargeError

READ = 4_096  # rows a read: so many of the longest texts still fit the process
BUFFER = 1 << 20
NAMES_BYTES = 16 << 20  # of all names and values in the footer


@dataclass
class ColumnBatch:
    """Rows as columns: `line` (the row's number), then texts, or moments in microseconds."""

    columns: tuple[str, ...]
    frame: pl.DataFrame
    bad: list[BadLine] = field(default_factory=list)


class ParquetRows:
    """Reads the footer at once; InvalidError or MalformedError when it cannot be used."""

    def __init__(self, path: Path, *, kind: str, options: Options, bounds: Bounds) -> None:
        self._size = _refuse_other(path)
        self._bounds = bounds
        with _told("The footer of the Parquet file"):
            self._file = pq.ParquetFile(
                path,
                buffer_size=BUFFER,
                pre_buffer=False,
                page_checksum_verification=True,
                thrift_string_size_limit=NAMES_BYTES,
            )
            schema = self._file.schema_arrow
            rows = self._file.metadata.num_rows
        if rows > bounds.rows:
            raise TooLargeError(f"The file has more than {bounds.rows:,} rows.")
        self._shape = shape_of(KINDS[kind], options.preset, schema.names)
        self._layout = resolve(
            KINDS[kind],
            schema.names,
            mapping=options.mapping,
            ignore_unknown=options.ignore_unknown,
            shape=self._shape,
        )
        self._others = list(dict.fromkeys((*self._layout.extras, *self._layout.texts)))
        for column, header in self._layout.picks.items():
            check_column(column, schema.field(header).type)
        for header in self._others:
            check_attribute(header, schema.field(header).type)
        self.columns = self._layout.columns

    def batches(self) -> Iterator[ColumnBatch]:
        """Yield the rows, some thousand at a time."""
        first, held, size, total = 1, list[pa.RecordBatch](), 0, 0
        for part in self._parts():
            held.append(part)
            size += part.nbytes
            if sum(map(len, held)) >= ROWS or size >= CHARS:
                yield self._batch(held, first)
                first, total = first + sum(map(len, held)), total + size
                self._refuse_bomb(total)
                held, size = [], 0
        yield self._batch(held, first)

    def _parts(self) -> Iterator[pa.RecordBatch]:
        """Yield record batches of the columns that are wanted."""
        wanted = list(dict.fromkeys((*self._layout.picks.values(), *self._others)))
        for group in range(self._file.metadata.num_row_groups):
            with _told(f"Row group {group + 1} of the Parquet file"):
                yield from self._file.iter_batches(
                    READ, row_groups=[group], columns=wanted, use_threads=False
                )

    def _batch(self, parts: list[pa.RecordBatch], first: int) -> ColumnBatch:
        if not parts:
            nothing = pl.DataFrame(
                schema={"line": pl.Int64, **dict.fromkeys(self.columns, pl.String)}
            )
            return ColumnBatch(self.columns, nothing)
        table = pa.Table.from_batches(parts).combine_chunks()
        lines = pl.Series("line", range(first, first + len(table)), dtype=pl.Int64)
        batch = ColumnBatch(self.columns, lines.to_frame())
        good = [True] * len(table)
        columns = [self._column(table, name, batch, good) for name in self._layout.picks]
        if len(self.columns) > len(columns):
            columns += self._rest(table, batch, good)
        empty = pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)).name.keep()
        frame = batch.frame.with_columns(columns).with_columns(empty)
        batch.frame = frame.filter(pl.Series(good)) if batch.bad else frame
        return batch

    def _column(
        self, table: pa.Table, name: str, batch: ColumnBatch, good: list[bool]
    ) -> pl.Series:
        header = self._layout.picks[name]
        with _told(f"The column {header} of the Parquet file"):
            column = table.column(header).combine_chunks()
            if is_time(column.type):
                return to_moments(column)
            column, broken = _sound(to_texts(name, column))
        for place in broken:
            _reject(batch, good, place, "NOT_UTF8", f"{name} is no UTF-8.")
        texts = pl.Series(name, pl.from_arrow(column), dtype=pl.String)
        return _without(texts, self._shape.nothing) if self._shape else texts

    def _rest(self, table: pa.Table, batch: ColumnBatch, good: list[bool]) -> Iterator[pl.Series]:
        """Yield the text that several fields make, and the attributes, where there are any."""
        with _told("An attribute of the Parquet file"):
            rows = _without_nanoseconds(table.select(self._others)).to_pylist(
                maps_as_pydicts="strict"
            )
        if self._shape is not None:
            rows = [self._shape.tidy(row) for row in rows]
        if self._layout.texts:
            told = (attributes.text_of(map(row.get, self._layout.texts)) for row in rows)
            yield pl.Series("text", list(told), dtype=pl.String)
        if self._layout.kind.open:
            kept = rows if self._layout.extras else [{}] * len(table)
            packed = [self._packed(row, place, batch, good) for place, row in enumerate(kept)]
            yield pl.Series(ATTRIBUTES, packed, dtype=pl.String)

    def _packed(
        self, row: Mapping[str, Any], place: int, batch: ColumnBatch, good: list[bool]
    ) -> str | None:
        try:
            text = attributes.pack({n: v for n, v in row.items() if not _is_nothing(v)})
        except InvalidError as error:
            _reject(batch, good, place, error.code, error.detail)
            return None
        if len(text) > self._bounds.row_bytes:
            detail = "The attributes are longer than the limit for one row."
            _reject(batch, good, place, "ROW_TOO_LONG", detail)
        return text

    def _refuse_bomb(self, total: int) -> None:
        if total > self._bounds.unpacked_bytes:
            limit = self._bounds.unpacked_bytes
            raise TooLargeError(f"Unpacked, the file is over the limit of {limit:,} bytes.")
        if total > max(RATIO_FROM, self._size * self._bounds.unpack_ratio):
            raise unpacks_too_much(self._bounds.unpack_ratio)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn what Arrow raises into words; its own are about our memory and its own insides."""
    try:
        yield
    except MemoryError:
        detail = f"{what} asks for more memory than the parser may take."
        raise TooLargeError(detail, code="PARSE_MEMORY") from None
    except pa.ArrowNotImplementedError:
        detail = f"{what} is written in a way that is not read here; write it anew."
        raise MalformedError(detail, code="BAD_PARQUET") from None
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        raise MalformedError(f"{what} is damaged.", code="BAD_PARQUET") from None


def _refuse_other(path: Path) -> int:
    """Return the file's size; MalformedError when it is no whole Parquet file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4096)
        file.seek(max(0, size - 4))
        tail = file.read(4)
    refuse_no_parquet(head, tail)
    return size


def _sound(column: pa.Array) -> tuple[pa.Array, list[int]]:
    """Return the texts, and the places of those that are no UTF-8 and now are null."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        values = [_decoded(raw) for raw in column.cast(pa.large_binary()).to_pylist()]
        broken = [place for place, (_, sound) in enumerate(values) if not sound]
        return pa.array([text for text, _ in values], pa.large_string()), broken
    return column, []


def _decoded(raw: bytes | None) -> tuple[str | None, bool]:
    try:
        return (None if raw is None else raw.decode()), True
    except UnicodeDecodeError:
        return None, False


def _without(texts: pl.Series, nothing: frozenset[str]) -> pl.Series:
    return texts.set(texts.is_in(list(nothing)), None) if nothing else texts


def _without_nanoseconds(table: pa.Table) -> pa.Table:
    """Return times as Python has them: to the microsecond."""
    for place, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
            micros = table.column(place).cast(pa.timestamp("us", column.type.tz), safe=False)
            table = table.set_column(place, column.name, micros)
    return table


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _reject(batch: ColumnBatch, good: list[bool], place: int, code: str, detail: str) -> None:
    """Take a row out, once, with the first reason that was found."""
    if good[place]:
        good[place] = False
        batch.bad.append(BadLine(batch.frame["line"][place], code, detail, ""))
