"""A batch of texts to a frame of values in the staging table's columns; bad rows fall out."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

import polars as pl

from services.api.ingest import rules
from services.api.ingest.batch import BadLine, Batch
from services.api.ingest.columns import ATTRIBUTES, Kind
from services.api.ingest.parquet_rows import ColumnBatch
from services.api.ingest.times import BAD, NAIVE, read_moments, read_times

RULE, TIME = "__rule", "__time"
TIME_DETAILS = {
    BAD: "timestamp is no RFC 3339 time and no Unix time between 1678 and 2261.",
    NAIVE: "timestamp has no offset and the dataset names no timezone.",
}


class Checker:
    """Checks batches of one file."""

    def __init__(self, kind: Kind, *, text_chars: int, zone: tzinfo | None) -> None:
        self._kind = kind
        self._text_chars = text_chars
        self._zone = zone
        self.future = 0

    def check(self, batch: Batch | ColumnBatch) -> pl.DataFrame:
        """Return the good rows, by line; what is wrong with the others is added to `batch.bad`."""
        raw = batch.frame if isinstance(batch, ColumnBatch) else _texts(batch)
        names = [name for name, kind in raw.schema.items() if kind == pl.String]
        names = [name for name in names if name != ATTRIBUTES]
        tests = rules.rules(names, required=self._kind.required, text_chars=self._text_chars)
        first = pl.coalesce(
            [pl.when(rule.broken).then(place) for place, rule in enumerate(tests)]
        ).alias(RULE)
        frame = self._with_times(raw.with_columns(first))
        for row in frame.filter(pl.col(RULE).is_not_null() | pl.col(TIME).is_not_null()).rows(
            named=True
        ):
            batch.bad.append(_bad(row, tests, batch.columns))
        return self._staged(frame.filter(pl.col(RULE).is_null() & pl.col(TIME).is_null()))

    def _with_times(self, frame: pl.DataFrame) -> pl.DataFrame:
        if "timestamp" not in frame.columns:
            return frame.with_columns(pl.lit(None, dtype=pl.String).alias(TIME))
        read = read_times if frame["timestamp"].dtype == pl.String else read_moments
        micros, codes = read(frame["timestamp"], self._zone)
        return frame.with_columns(micros.alias("__micros"), codes.alias(TIME))

    def _staged(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the columns of the staging table, in its order and types."""
        changed = {"value": rules.number(), "position": rules.position(), "split": rules.split()}
        frame = frame.with_columns(
            expression.alias(name) for name, expression in changed.items() if name in frame.columns
        )
        if "__micros" in frame.columns:
            moment = pl.col("__micros").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
            frame = frame.with_columns(moment.alias("timestamp"))
            self.future += int((frame["timestamp"] > datetime.now(UTC)).sum())
        return _filled(frame, self._kind.staged)


def _texts(batch: Batch) -> pl.DataFrame:
    """Return the raw texts, empty ones as null."""
    columns = zip(*batch.rows, strict=True) if batch.rows else ([] for _ in batch.columns)
    data = {
        name: pl.Series(name, values, dtype=pl.String)
        for name, values in zip(batch.columns, columns, strict=True)
    }
    empty = pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)).name.keep()
    lines = pl.Series("line", batch.lines, dtype=pl.Int64)
    return pl.DataFrame(data).with_columns(empty).insert_column(0, lines)


def _bad(row: dict[str, object], tests: list[rules.Rule], names: Sequence[str]) -> BadLine:
    sample = ",".join(str(row[name] or "") for name in names if name != ATTRIBUTES)
    line, place = row["line"], row[RULE]
    assert isinstance(line, int)  # noqa: S101 - as the frame was built
    if isinstance(place, int):
        return BadLine(line, tests[place].code, tests[place].detail, sample)
    code = str(row[TIME])
    return BadLine(line, code, TIME_DETAILS[code], sample)


def _filled(frame: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    missing = [
        pl.lit(None, dtype=pl.String).alias(name) for name in names if name not in frame.columns
    ]
    return frame.with_columns(missing).select(names)
