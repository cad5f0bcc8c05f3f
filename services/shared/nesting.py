"""How deep JSON from outside may nest: every reader and writer behind has a limit of its own."""

MAX_DEPTH = 64
"""Objects and arrays within one another; pydantic writes 255, Python recurses 1,000."""


def is_too_deep(value: object, *, limit: int = MAX_DEPTH) -> bool:
    """Say whether parsed JSON nests deeper than `limit`; a number or a text has depth 0."""
    if isinstance(value, dict):
        return limit == 0 or any(is_too_deep(inner, limit=limit - 1) for inner in value.values())
    if isinstance(value, list):
        return limit == 0 or any(is_too_deep(inner, limit=limit - 1) for inner in value)
    return False
