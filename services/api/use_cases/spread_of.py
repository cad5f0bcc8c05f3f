"""Say how unevenly pairs are spread over users or items, from how many have each number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from services.shared.db.repos.surveys import Degrees


@dataclass(frozen=True, kw_only=True)
class Bar:
    """How many have at least `least` and at most `most` pairs."""

    least: int
    most: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Of the numbers of pairs; the bars double in width: 1, 2-3, 4-7 and so on."""

    min: int
    median: float
    mean: float
    p90: int
    max: int
    histogram: Sequence[Bar]


def spread_of(degrees: Degrees) -> Spread | None:
    """Return the spread; None where there is nobody."""
    if not degrees:
        return None
    count = sum(degrees.values())
    middle = (_at(degrees, (count - 1) // 2) + _at(degrees, count // 2)) / 2
    return Spread(
        min=min(degrees),
        median=middle,
        mean=round(sum(degree * n for degree, n in degrees.items()) / count, 3),
        p90=_at(degrees, math.ceil(0.9 * count) - 1),
        max=max(degrees),
        histogram=_bars(degrees),
    )


def share_of_top(degrees: Degrees, share: float) -> float | None:
    """Return what part of all pairs the heaviest `share` of them hold; None without a pair.

    At least one of them is counted.
    """
    pairs = sum(degree * n for degree, n in degrees.items())
    left = max(1, round(share * sum(degrees.values())))
    if not pairs:
        return None
    held = 0
    for degree in sorted(degrees, reverse=True):
        taken = min(left, degrees[degree])
        held, left = held + taken * degree, left - taken
        if not left:
            break
    return held / pairs


def _at(degrees: Degrees, place: int) -> int:
    """Return the degree at a place of the ordered list of them all, from 0."""
    for degree in sorted(degrees):
        place -= degrees[degree]
        if place < 0:
            return degree
    return max(degrees)


def _bars(degrees: Degrees) -> list[Bar]:
    tops = range(max(degrees).bit_length())
    bounds = [(2**top, 2 ** (top + 1) - 1) for top in tops]
    return [
        Bar(
            least=least,
            most=most,
            count=sum(n for degree, n in degrees.items() if least <= degree <= most),
        )
        for least, most in bounds
    ]
