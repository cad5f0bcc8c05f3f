"""What never reaches a log: secrets by name or by shape, and the words of profiles."""

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"

_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:authorization|password|passwd|secret|api_?key|credentials?|cookie|bearer)s?$"
    r"|^(?:key|token)$"
    r"|^(?:x[_-])?(?:operator|access|auth)[_-](?:key|token)$",
    re.IGNORECASE,
)
_TEXT_NAMES = frozenset(
    {"text", "texts", "profile", "prompt", "messages", "content", "body", "reason", "reply"}
)
_SHAPES = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/@:]*):[^\s/@]+@", re.IGNORECASE), r"\1:***@"),
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE), r"\1 ***"),
    (re.compile(r"\b(wn_[A-Za-z0-9]+)_[A-Za-z0-9_-]+"), r"\1_***"),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{8,}"), "sk-***"),
    (
        re.compile(
            r"([?&](?:api_?key|key|token|password|secret|signature)=)[^&\s'\"]+", re.IGNORECASE
        ),
        r"\1***",
    ),
)


def redact(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of an event that may be written down, however deep a secret sits."""
    return {name: _field(str(name), value) for name, value in event.items()}


def scrub(text: str) -> str:
    """Return the text without passwords in URLs, bearer tokens and keys of known shape."""
    for shape, kept in _SHAPES:
        text = shape.sub(kept, text)
    return text


def _field(name: str, value: Any) -> Any:  # noqa: ANN401 -- whatever a caller logs
    if name.lower() in _TEXT_NAMES:
        return _size(value)
    # a fencing token is a number and no secret
    if isinstance(value, (str, bytes)) and _SECRET_NAME.search(name):
        return HIDDEN
    return _value(value)


def _value(value: Any) -> Any:  # noqa: ANN401 -- as above
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return redact(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_value(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return scrub(str(value))


def _size(value: Any) -> str:  # noqa: ANN401 -- as above
    unit = "characters" if isinstance(value, str) else "entries"
    return f"<{len(value)} {unit}>" if hasattr(value, "__len__") else HIDDEN
