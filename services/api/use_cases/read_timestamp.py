"""Read a time as callers write it."""

from datetime import UTC, datetime, tzinfo

from services.shared.errors import InvalidError
from services.shared.specs.dataset import zone

POINTER = "/timestamp"
MILLISECONDS_FROM = 1e11  # as seconds this is the year 5138, as milliseconds 1973
EARLIEST, LATEST = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
"""What 64 bits of nanoseconds hold: the range of every columnar format."""


def read_timestamp(given: str | float | None, timezone: str | None) -> datetime | None:
    """Return the moment; InvalidError when it cannot be read or has no offset and no zone.

    Numbers are seconds since 1970, or milliseconds where they are too large for that.
    """
    if given is None:
        return None
    try:
        moment = _from_number(given) if isinstance(given, int | float) else _from_text(given)
    except (ValueError, OverflowError, OSError):
        number = isinstance(given, int | float)
        detail = (
            "timestamp lies outside 1678 to 2261."
            if number
            else "timestamp is no RFC 3339 time, such as 2026-03-01T09:30:00Z, and no Unix time."
        )
        raise InvalidError(detail, pointer=POINTER, code="BAD_TIMESTAMP") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_zone_of(timezone))
    if not EARLIEST <= moment < LATEST:
        detail = "timestamp lies outside 1678 to 2261."
        raise InvalidError(detail, pointer=POINTER, code="BAD_TIMESTAMP")
    return moment.astimezone(UTC)


def _from_number(number: float) -> datetime:
    seconds = number / 1000 if abs(number) >= MILLISECONDS_FROM else number
    return datetime.fromtimestamp(seconds, UTC)


def _from_text(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _zone_of(timezone: str | None) -> tzinfo:
    found = zone(timezone) if timezone else None
    if found is None:
        raise InvalidError(
            "timestamp has no offset, such as Z or +02:00, and the dataset names no timezone.",
            pointer=POINTER,
            code="NAIVE_TIMESTAMP",
        )
    return found
