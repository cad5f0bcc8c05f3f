"""One spelling per value: canonical JSON and its SHA-256, under every key and config hash."""

import hashlib
import json
from collections.abc import Mapping, Sequence

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def canonical_json(value: Json) -> bytes:
    """Return UTF-8 JSON with sorted keys, no spaces, and whole floats written as integers.

    Temperature 0 and 0.0 are one parameter and must be one cache entry. Text is not normalised:
    other bytes are another prompt. Raises ValueError on NaN and infinities.
    """
    text = json.dumps(
        _settled(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8", "surrogatepass")


def content_digest(value: Json) -> bytes:
    """Return the SHA-256 of the value's canonical JSON: 32 bytes, as keys are stored."""
    return hashlib.sha256(canonical_json(value)).digest()


def content_hash(value: Json) -> str:
    """Return the same as 64 hex digits."""
    return content_digest(value).hex()


def _settled(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _settled(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_settled(inner) for inner in value]
    return value
