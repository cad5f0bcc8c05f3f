"""Everything else that a profile has, as the text of one JSON object; and texts made of fields."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import orjson

from services.api.ingest.columns import ATTRIBUTES
from services.shared.errors import InvalidError
from services.shared.nesting import MAX_DEPTH, is_too_deep


def pack(others: Mapping[str, Any]) -> str:
    """Return the keys beside the known ones and those of an object named `attributes`.

    InvalidError when they nest too deep, hold U+0000 or `attributes` is no object.
    """
    given = others.get(ATTRIBUTES)
    if given is not None and not isinstance(given, dict):
        raise InvalidError("attributes is no JSON object.", code="WRONG_TYPE")
    if is_too_deep(others):
        raise InvalidError(f"attributes nest deeper than {MAX_DEPTH}.", code="TOO_DEEP")
    rest = {key: value for key, value in others.items() if key != ATTRIBUTES}
    merged = orjson.dumps({**rest, **(given or {})}, default=_plain)
    if b"\\u0000" in merged and _has_nul(orjson.loads(merged)):
        raise InvalidError("attributes may not hold the character U+0000.", code="NUL")
    return merged.decode()


def text_of(values: Iterable[object]) -> str | None:
    """Return one text of several fields, a line each, lists joined by commas; None for nothing."""
    lines = (", ".join(_words(value)) for value in values)
    return "\n".join(line for line in lines if line) or None


def _words(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if value.strip():
            yield value.strip()
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)


def _plain(value: object) -> object:
    """Return what JSON has no type for, as Parquet has it."""
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError


def _has_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(_has_nul(inner) for inner in value)
    return isinstance(value, str) and "\0" in value
