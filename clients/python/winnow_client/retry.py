"""When a request may be sent again, and after how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from winnow_client.errors import api_error

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
REFUSED_FOR_NOW = frozenset({429, 503})
STILL_RUNNING = "STILL_RUNNING"


@dataclass(frozen=True, kw_only=True)
class Retry:
    """`attempts` in all; waits double from `first_wait` seconds; none is longer than `cap`."""

    attempts: int = 5
    first_wait: float = 0.5
    cap: float = 60.0

    def wait(self, attempt: int, response: httpx.Response | None) -> float:
        """Return the seconds before attempt + 1: Retry-After where the server says it."""
        return self.pause(attempt, retry_after(response) if response is not None else None)

    def pause(self, attempt: int, asked: float | None) -> float:
        """Return the seconds before attempt + 1: `asked`, where the server asked for any."""
        wait = self.first_wait * 2**attempt if asked is None else asked
        return min(wait, self.cap)


def is_refused_for_now(response: httpx.Response) -> bool:
    """Say whether the same request may succeed soon: the server is busy, or busy with this one.

    The second is what a repeated POST meets whose first try was cut off and goes on over there.
    """
    if response.status_code in REFUSED_FOR_NOW:
        return True
    return (
        response.status_code == httpx.codes.CONFLICT and api_error(response).code == STILL_RUNNING
    )


def retry_after(response: httpx.Response) -> float | None:
    """Return Retry-After in seconds, from either of its two forms (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    return _seconds_until(value)


def _seconds_until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
