"""The one grammar of `positive`: comparisons joined by AND, parsed once, never SQL text.

    value>=4 AND type="purchase"

A small part of AIP-160. Fields and the kinds of their values are the caller's to name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from services.shared.errors import InvalidError

Operator = Literal[">=", "<=", "!=", "=", ">", "<"]
Kind = type[float] | type[str]

FIELDS: Mapping[str, Kind] = {"value": float, "type": str}
"""What `positive` may compare of an interaction."""

_CLAUSE = re.compile(
    r"""\s*(?P<field>[a-z_]+)\s*(?P<operator>>=|<=|!=|=|>|<)\s*
        (?:"(?P<text>(?:[^"\\]|\\.)*)"|(?P<number>-?\d+(?:\.\d+)?))\s*""",
    re.VERBOSE,
)
_BEGUN = re.compile(r"\s*[a-z_]+\s*(?P<operator>>=|<=|!=|=|>|<)?\s*")
"""As much of a clause as says what should come next."""

_AND = re.compile(r"AND\b")


@dataclass(frozen=True)
class Comparison:
    """One clause; a missing value satisfies none."""

    field: str
    operator: Operator
    operand: float | str


def parse(expression: str, fields: Mapping[str, Kind] = FIELDS) -> tuple[Comparison, ...]:
    """Return the clauses that must all hold.

    Raises InvalidError that shows where reading stopped, an unknown field, or an operand that is
    not of the field's kind.
    """
    clauses, at = [], 0
    while True:
        match = _CLAUSE.match(expression, at)
        if match is None:
            raise _stuck(expression, at)
        clauses.append(_comparison(expression, match, fields))
        at = match.end()
        if at == len(expression):
            return tuple(clauses)
        joint = _AND.match(expression, at)
        if joint is None:
            raise _wrong(expression, f"expected AND {_place(expression, at)}")
        at = joint.end()


def _comparison(expression: str, match: re.Match[str], fields: Mapping[str, Kind]) -> Comparison:
    field, operator = match["field"], cast("Operator", match["operator"])
    if field not in fields:
        raise _wrong(expression, f"there is no field {field!r}, only {', '.join(fields)}")
    if (match["number"] is not None) != (fields[field] is float):
        wanted = "a number" if fields[field] is float else "a text in double quotes"
        raise _wrong(expression, f"{field} is compared with {wanted}")
    if fields[field] is str and operator not in {"=", "!="}:
        raise _wrong(expression, f"{field} knows = and != only")
    if match["number"] is not None:
        return Comparison(field, operator, float(match["number"]))
    return Comparison(field, operator, re.sub(r"\\(.)", r"\1", match["text"]))


def _stuck(expression: str, at: int) -> InvalidError:
    """Return the error that shows how far the clause at `at` could be read."""
    begun = _BEGUN.match(expression, at)
    if begun is None:
        return _wrong(expression, f"expected a comparison {_place(expression, at)}")
    stop = begun.end()
    if begun["operator"] is None:
        wanted = "expected one of >=, <=, !=, =, >, <"
    else:
        wanted = "expected a number or a text in double quotes"
    return _wrong(expression, f"{wanted} {_place(expression, stop)}")


def _place(expression: str, at: int) -> str:
    rest = expression[at : at + 20]
    return f"at {rest!r}, character {at + 1}" if rest.strip() else "at its end"


def _wrong(expression: str, what: str) -> InvalidError:
    return InvalidError(f"{expression!r} cannot be read: {what}.", pointer="/settings/positive")
