"""Times as callers write them, a column at once; the same reading as the JSON route's.

Numbers are seconds since 1970, or milliseconds where they are too large for that. Texts are RFC
3339; one without an offset needs the dataset's zone.
"""

from datetime import UTC, datetime, timedelta, tzinfo

import polars as pl

MILLISECONDS_FROM = 1e11  # as seconds this is the year 5138, as milliseconds 1973
EARLIEST, LATEST = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
BAD, NAIVE = "BAD_TIMESTAMP", "NAIVE_TIMESTAMP"


def read_times(texts: pl.Series, zone: tzinfo | None) -> tuple[pl.Series, pl.Series]:
    """Return the moments (UTC, microseconds) and, where one cannot be read, a code."""
    number = texts.cast(pl.Float64, strict=False)
    seconds = (number.abs() < MILLISECONDS_FROM).fill_null(value=False)
    micros = (number * seconds.replace_strict({True: 1e6, False: 1e3}, return_dtype=pl.Float64)).round()
    inside = micros.is_between(_micros(EARLIEST), _micros(LATEST), closed="left")
    moments = micros.zip_with(inside, pl.Series([None], dtype=pl.Float64)).cast(pl.Int64).to_list()
    codes: list[str | None] = [None] * len(moments)
    unread = texts.is_not_null() & moments_null(moments)
    return texts, texts
