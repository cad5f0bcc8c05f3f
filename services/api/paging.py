"""Pages by key, not by offset: stable under writes, opaque to the caller."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, Query

from services.shared.errors import InvalidError
from services.shared.settings import settings

DEFAULT_SIZE = 100
Position = tuple[str, ...]
R = TypeVar("R")


@dataclass(frozen=True)
class Page:
    """How many rows after which row."""

    size: int
    after: Position | None


def get_page(
    page_size: Annotated[
        int, Query(ge=1, description="rows a page; larger than the limit means the limit")
    ] = DEFAULT_SIZE,
    page_token: Annotated[
        str | None, Query(max_length=4096, description="`next_page_token` of the page before")
    ] = None,
) -> Page:
    """Return the page that the query asks for; InvalidError on a token that is not ours."""
    size = min(page_size, settings().limits.page_size)
    return Page(size, None if page_token is None else decode(page_token))


Paged = Annotated[Page, Depends(get_page)]


def encode(position: Sequence[object]) -> str:
    """Return the token of the row at `position`."""
    raw = json.dumps([_text(part) for part in position], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(token: str) -> Position:
    """Return a token's position; InvalidError when it was not made here."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        parts = json.loads(raw)
    except (binascii.Error, ValueError):
        parts = None
    if not isinstance(parts, list) or not all(_plain(part) for part in parts):
        raise _wrong_token()
    return tuple(parts)


def place(page: Page, *kinds: Callable[[str], object]) -> tuple[Any, ...] | None:
    """Return the position as values of `kinds`; None for the first page, else InvalidError."""
    if page.after is None:
        return None
    if len(page.after) != len(kinds):
        raise _wrong_token()
    try:
        return tuple(kind(part) for kind, part in zip(kinds, page.after, strict=True))
    except ValueError as error:
        raise _wrong_token() from error


def number(text: str) -> int:
    """Return a whole number that Postgres' bigint holds; ValueError for any other text."""
    found = int(text)
    if not -(2**63) <= found < 2**63:
        raise ValueError("beyond 64 bits")
    return found


def moment_place(page: Page) -> tuple[datetime, UUID] | None:
    """Return the position in a list ordered by (created_at, id)."""
    found = place(page, _moment, UUID)
    return None if found is None else (found[0], found[1])


def cut(rows: Sequence[R], page: Page, key: Callable[[R], Sequence[object]]) -> str | None:
    """Return the next page's token, given up to size + 1 rows; None after the last page."""
    return encode(key(rows[page.size - 1])) if len(rows) > page.size else None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without its offset")
    return moment


def _text(part: object) -> str:
    return part.isoformat() if isinstance(part, datetime) else str(part)


def _plain(part: object) -> bool:
    return isinstance(part, str) and "\0" not in part and _is_utf8(part)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _wrong_token() -> InvalidError:
    return InvalidError(
        "page_token is none of this list's; leave it out for the first page.",
        pointer="/query/page_token",
        code="INVALID_PAGE_TOKEN",
    )
