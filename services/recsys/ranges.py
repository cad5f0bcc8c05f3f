"""What a configuration's fields may hold, refused in words where they hold something else."""

from dataclasses import dataclass, fields
from math import inf, isfinite
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, get_args, get_origin


@dataclass(frozen=True)
class Range:
    """Finite numbers from `low` to `high`; `open_low` and `open_high` leave the ends out."""

    low: float
    high: float = inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def __str__(self) -> str:
        if self.high == inf:
            return f"above {self.low:g}" if self.open_low else f"at least {self.low:g}"
        ends = f"{'(' if self.open_low else '['}{self.low:g}, {self.high:g}"
        return f"in {ends}{')' if self.open_high else ']'}"


COUNT, NATURAL = Range(1), Range(0)
POSITIVE = Range(0, open_low=True)
SHARE = Range(0, 1)
PART = Range(0, 1, open_high=True)
"""A share that leaves something."""


def check(config: Any, **ranges: Range) -> None:  # noqa: ANN401 - any dataclass
    """Raise ValueError for a field of another kind than its type says, or outside its range.

    Kinds are those of plain configurations: bool, int, finite float, the words of a Literal, and
    None where the type has it. A field of another type is left to its own.
    """
    for field in fields(config):
        value = getattr(config, field.name)
        wanted = _wanted(field.type, value, ranges.get(field.name))
        if wanted:
            raise ValueError(f"{field.name} must be {wanted}, not {value!r}")


def _wanted(kind: Any, value: object, within: Range | None) -> str:  # noqa: ANN401 - a type, or a form of typing
    """Return in words what would be right; "" for what is."""
    if get_origin(kind) is UnionType:
        if value is None:
            return ""
        wanted = _wanted(get_args(kind)[0], value, within)
        return f"{wanted}, or None" if wanted else ""
    if get_origin(kind) is Literal:
        # True is 1 to a tuple
        fine = value in get_args(kind) and not isinstance(value, bool)
        return "" if fine else " or ".join(repr(word) for word in get_args(kind))
    if kind is bool:
        return "" if isinstance(value, bool) else "True or False"
    if kind not in {int, float}:
        return ""
    fine = _number(kind, value) and (within is None or value in within)  # type: ignore[operator] # a number by then
    noun = "a whole number" if kind is int else "a finite number"
    return "" if fine else f"{noun} {within or ''}".rstrip()


def _number(kind: type, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, Integral if kind is int else Real):
        return False
    return isfinite(value)
