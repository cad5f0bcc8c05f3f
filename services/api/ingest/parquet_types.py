"""Which types a Parquet column may have, and its values as the texts that every format has."""

from collections.abc import Callable, Mapping

import polars as pl
import pyarrow as pa

from services.api.ingest.rules import IDS
from services.api.ingest.times import EARLIEST, LATEST
from services.shared.errors import InvalidError

MICROS = {"s": 1_000_000, "ms": 1_000, "us": 1}  # in one of the unit
DAY = 86_400_000_000
TIMES = frozenset({"timestamp"})
NUMBERS = frozenset({"value", "timestamp", "position"})


def check_column(name: str, kind: pa.DataType) -> None:
    """Raise InvalidError, with the column's name, when a known column has the wrong type."""
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if _is_text(plain) or pa.types.is_integer(plain) or pa.types.is_null(plain):
        return
    if name in NUMBERS and (pa.types.is_floating(plain) or pa.types.is_decimal(plain)):
        return
    if name in TIMES and (pa.types.is_timestamp(plain) or pa.types.is_date(plain)):
        return
    raise InvalidError(f"{name} is a column of {kind}; {_wanted(name, plain)}", code="WRONG_TYPE")


def check_attribute(name: str, kind: pa.DataType) -> None:
    """Raise InvalidError when an attribute has a type that JSON has no word for."""
    if _is_bytes(kind) or pa.types.is_duration(kind) or isinstance(kind, pa.BaseExtensionType):
        raise InvalidError(
            f"{name} is a column of {kind}; an attribute is a text, a number, a boolean, a time, "
            "or a list, map or struct of these.",
            code="WRONG_TYPE",
        )
    for place in range(kind.num_fields):
        check_attribute(name, kind.field(place).type)
    if pa.types.is_dictionary(kind):
        check_attribute(name, kind.value_type)


def is_time(kind: pa.DataType) -> bool:
    """Say whether values are read as times, not as texts or numbers that stand for them."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def to_texts(name: str, column: pa.Array) -> pa.Array:
    """Return a column of ids, words or numbers as strings."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if name == "position" and pa.types.is_floating(column.type):
        column = _whole(column)
    return column.cast(pa.large_string())


def to_moments(column: pa.Array) -> pl.Series:
    """Return times in microseconds, in UTC where they have a zone; too far ones as `LATEST`."""
    kind = column.type
    zone = getattr(kind, "tz", None)
    raw = pl.Series("timestamp", pl.from_arrow(column.view(_raw(kind))), dtype=pl.Int64)
    value = pl.col("timestamp")
    micros = _micros(kind)(value)
    fits = micros.is_not_null() & value.is_not_null()
    scaled = pl.when(value.is_null()).then(None).when(fits).then(micros).otherwise(LATEST)
    moments = raw.to_frame().select(scaled.cast(pl.Datetime("us"))).to_series().alias("timestamp")
    return moments.dt.replace_time_zone("UTC") if zone else moments


def _micros(kind: pa.DataType) -> Callable[[pl.Expr], pl.Expr]:
    """Return how a raw number of the type becomes microseconds, null where it is too far."""
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return lambda raw: raw.floordiv(1_000)
    factor = DAY if pa.types.is_date32(kind) else MICROS[getattr(kind, "unit", "ms")]
    first, last = -(-EARLIEST // factor) if factor > 1 else EARLIEST, LATEST // factor
    return lambda raw: pl.when(raw.is_between(first, last)).then(raw * factor)


def _raw(kind: pa.DataType) -> pa.DataType:
    return pa.int32() if pa.types.is_date32(kind) else pa.int64()


def _whole(column: pa.Array) -> pa.Array:
    """Return floats as integers where all of them are whole, as pandas writes gaps in integers."""
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _wanted(name: str, kind: pa.DataType) -> str:
    if name in IDS and pa.types.is_floating(kind):
        return (
            "an id is a string or an integer. Where an id is missing pandas makes floats of "
            "integers: drop those rows, or write the column as Int64 or as strings."
        )
    if _is_bytes(kind) and name not in NUMBERS:
        return "strings or integers are wanted: write the column as UTF-8 strings."
    return WANTED.get(name, "strings or integers are wanted.")


WANTED: Mapping[str, str] = {
    "value": "numbers are wanted.",
    "position": "integers are wanted.",
    "timestamp": "timestamps, dates, RFC 3339 strings or Unix times are wanted.",
}
