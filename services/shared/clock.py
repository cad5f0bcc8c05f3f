"""The time of day; leases use Postgres' clock instead."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present moment with its offset."""
    return datetime.now(UTC)
