"""Times as callers write them, a column at once; the same reading as the JSON route's.

Numbers are seconds since 1970, or milliseconds where they are too large for that. Texts are RFC
3339; one without an offset needs the dataset's zone.
"""

from datetime import UTC, datetime, timedelta, tzinfo

import polars as pl

MILLISECONDS_FROM = 1e11  # as seconds this is the year 5138, as milliseconds 1973
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
EARLIEST = (datetime(1678, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
LATEST = (datetime(2262, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
BAD, NAIVE = "BAD_TIMESTAMP", "NAIVE_TIMESTAMP"


def read_times(texts: pl.Series, zone: tzinfo | None) -> tuple[pl.Series, pl.Series]:
    """Return microseconds since 1970 and, beside each text that cannot be read, a code."""
    numbers = _numbers(texts)
    if numbers.null_count() == texts.null_count():
        return numbers, pl.Series("code", [None] * len(numbers), dtype=pl.String)
    micros, codes = numbers.to_list(), [None] * len(numbers)
    told: list[str | None] = [*codes]
    for place, text in enumerate(texts.to_list()):
        if text is not None and micros[place] is None:
            micros[place], told[place] = _read(text, zone)
    return (
        pl.Series("timestamp", micros, dtype=pl.Int64),
        pl.Series("code", told, dtype=pl.String),
    )


def read_moments(moments: pl.Series, zone: tzinfo | None) -> tuple[pl.Series, pl.Series]:
    """Return the same of a column that holds times already, in microseconds, zoned or local."""
    local = isinstance(moments.dtype, pl.Datetime) and moments.dtype.time_zone is None
    given = pl.DataFrame({"given": moments.is_not_null()})
    if local and zone is None:
        micros, code = pl.Series("timestamp", [None] * len(moments), dtype=pl.Int64), NAIVE
    else:
        micros, code = (_in_zone(moments, zone) if local and zone else moments.dt.epoch("us")), BAD
    table = given.with_columns(micros=micros).with_columns(
        kept=pl.col("micros").is_between(EARLIEST, LATEST, closed="left").fill_null(value=False)
    )
    told = table.select(
        timestamp=pl.when("kept").then("micros"),
        code=pl.when(pl.col("given") & ~pl.col("kept")).then(pl.lit(code)),
    )
    return told["timestamp"], told["code"]


def _in_zone(local: pl.Series, zone: tzinfo) -> pl.Series:
    """Return the microseconds of local times; an hour that is no or two, as Python has it."""
    try:
        named = local.dt.replace_time_zone(str(zone), ambiguous="earliest", non_existent="null")
        micros = named.dt.epoch("us")
    except pl.exceptions.ComputeError:  # a zone that only Python knows
        micros = pl.Series([None] * len(local), dtype=pl.Int64)
    left = (micros.is_null() & local.is_not_null()).arg_true()
    read = [(moment.replace(tzinfo=zone) - EPOCH) // MICROSECOND for moment in local.gather(left)]
    return micros.scatter(left, read) if read else micros


def _numbers(texts: pl.Series) -> pl.Series:
    """Return the microseconds of what is a number within the years that are kept, else null."""
    number = pl.col("text").str.strip_chars().cast(pl.Float64, strict=False)
    scale = pl.when(number.abs() < MILLISECONDS_FROM).then(1e6).otherwise(1e3)
    micros = (number * scale).round()
    kept = pl.when(micros.is_between(EARLIEST, LATEST, closed="left")).then(micros)
    return pl.DataFrame({"text": texts}).select(kept.cast(pl.Int64)).to_series()


def _read(text: str, zone: tzinfo | None) -> tuple[int | None, str | None]:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None, BAD
    if moment.tzinfo is None:
        if zone is None:
            return None, NAIVE
        moment = moment.replace(tzinfo=zone)
    micros = (moment - EPOCH) // MICROSECOND
    return (micros, None) if EARLIEST <= micros < LATEST else (None, BAD)
