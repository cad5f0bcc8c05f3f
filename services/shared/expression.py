"""The one grammar of `positive` and `filter`: comparisons joined by AND, never SQL text.

    value>=4 AND type="purchase"
    category="sf" AND price<20 AND "shelf mark"!="B 12"

A small part of AIP-160. Fields and the kinds of their values are the caller's to name; a name that
is no plain word stands in double quotes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from services.shared.errors import InvalidError

Operator = Literal[">=", "<=", "!=", "=", ">", "<"]
Kind = type[float] | type[str]

FIELDS: Mapping[str, Kind] = {"value": float, "type": str}
"""What `positive` may compare of an interaction."""

_CLAUSE = re.compile(
    r"""\s*(?:(?P<field>[^\W\d]\w*)|"(?P<quoted>(?:[^"\\]|\\.)+)")\s*(?P<operator>>=|<=|!=|=|>|<)\s*
        (?:"(?P<text>(?:[^"\\]|\\.)*)"|(?P<number>-?\d+(?:\.\d+)?))\s*""",
    re.VERBOSE,
)
_BEGUN = re.compile(r'\s*(?:[^\W\d]\w*|"(?:[^"\\]|\\.)+")\s*(?P<operator>>=|<=|!=|=|>|<)?\s*')
"""As much of a clause as says what should come next."""

_AND = re.compile(r"AND\b")


@dataclass(frozen=True)
class Comparison:
    """One clause; a missing value satisfies none."""

    field: str
    operator: Operator
    operand: float | str


def parse(
    expression: str,
    fields: Mapping[str, Kind] | None = FIELDS,
    *,
    pointer: str = "/settings/positive",
) -> tuple[Comparison, ...]:
    """Return the clauses that must all hold; without `fields` any name is one.

    Raises InvalidError that shows where reading stopped, an unknown field, or an operand that is
    not of the field's kind; `pointer` is where in the request the expression stands.
    """
    try:
        return tuple(_clauses(expression, fields))
    except _UnreadableError as error:
        detail = f"{expression!r} cannot be read: {error}."
        raise InvalidError(detail, pointer=pointer) from None


class _UnreadableError(Exception):
    """What is wrong with an expression."""


def _clauses(expression: str, fields: Mapping[str, Kind] | None) -> Iterator[Comparison]:
    at = 0
    while True:
        match = _CLAUSE.match(expression, at)
        if match is None:
            raise _stuck(expression, at)
        yield _comparison(match, fields)
        at = match.end()
        if at == len(expression):
            return
        joint = _AND.match(expression, at)
        if joint is None:
            raise _UnreadableError(f"expected AND {_place(expression, at)}")
        at = joint.end()


def _comparison(match: re.Match[str], fields: Mapping[str, Kind] | None) -> Comparison:
    field, operator = match["field"] or _plain(match["quoted"]), cast("Operator", match["operator"])
    kind: Kind = str if match["number"] is None else float
    if fields is not None and field not in fields:
        raise _UnreadableError(f"there is no field {field!r}, only {', '.join(fields)}")
    if fields is not None and fields[field] is not kind:
        wanted = "a number" if fields[field] is float else "a text in double quotes"
        raise _UnreadableError(f"{field} is compared with {wanted}")
    if kind is str and operator not in {"=", "!="}:
        raise _UnreadableError(f"{_knows(field, fields)} = and != only")
    if kind is float:
        return Comparison(field, operator, float(match["number"]))
    return Comparison(field, operator, _plain(match["text"]))


def _knows(field: str, fields: Mapping[str, Kind] | None) -> str:
    return f"a text, as {field} is compared with, knows" if fields is None else f"{field} knows"


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _stuck(expression: str, at: int) -> _UnreadableError:
    """Return the error that shows how far the clause at `at` could be read."""
    begun = _BEGUN.match(expression, at)
    if begun is None:
        return _UnreadableError(f"expected a comparison {_place(expression, at)}")
    wanted = "expected a number or a text in double quotes"
    if begun["operator"] is None:
        wanted = "expected one of >=, <=, !=, =, >, <"
    return _UnreadableError(f"{wanted} {_place(expression, begun.end())}")


def _place(expression: str, at: int) -> str:
    rest = expression[at : at + 20]
    return f"at {rest!r}, character {at + 1}" if rest.strip() else "at its end"
