"""The evidence of a pair in slow plain Python: an edge is really taken out of the graph."""

import math
from collections.abc import Sequence

from tests.spec.oracle_candidates import Pairs, cosine, people

Vector = Sequence[float]


def shelf(pairs: Pairs, user: int) -> list[int]:
    """Return the items of a user."""
    return [item for someone, item in pairs if someone == user]


def support(pairs: Pairs, pair: tuple[int, int]) -> float:
    """Sum the item's cosines with the user's other items."""
    rest = [one for one in pairs if one != pair]
    return sum(cosine(rest, pair[1], other) for other in shelf(rest, pair[0]))


def degrees(pairs: Pairs, pair: tuple[int, int]) -> list[int]:
    """Count the user's other items and the item's other users."""
    rest = [one for one in pairs if one != pair]
    return [len(shelf(rest, pair[0])), len(people(rest, pair[1]))]


def likeness(pairs: Pairs, pair: tuple[int, int], x: Sequence[Vector]) -> list[float]:
    """Compare the item's text, and its readers' other items, with the user's other items."""
    user, item = pair
    rest = [one for one in pairs if one != pair]
    history = total([x[j] for j in shelf(rest, user)], len(x[0]))
    readers = total([], len(x[0]))
    for reader in people(rest, item):
        others = [x[j] for j in shelf(rest, reader) if j != item]
        if others:
            mean = [value / len(others) for value in total(others, len(x[0]))]
            readers = total([readers, mean], len(x[0]))
    return [angle(history, x[item]), angle(history, readers)]


def total(vectors: Sequence[Vector], width: int) -> Vector:
    """Add vectors up."""
    return [sum(vector[column] for vector in vectors) for column in range(width)]


def angle(a: Vector, b: Vector) -> float:
    """Return the cosine of two vectors, 0 where one is nothing."""
    lengths = math.sqrt(sum(v * v for v in a) * sum(v * v for v in b))
    return sum(p * q for p, q in zip(a, b, strict=True)) / lengths if lengths > 1e-6 else 0.0
