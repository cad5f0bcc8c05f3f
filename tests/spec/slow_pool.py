"""LLMHNI's pool (Eq. 8-10): every way to draw it, with its probability."""

from itertools import permutations
from math import exp

Vector = list[float]


def relu(scores: Vector) -> Vector:
    """P(j) ~ max(y, 0)."""
    return _shares([max(score, 0.0) for score in scores])


def softmax(scores: Vector, *, T: float) -> Vector:
    """P(j) ~ exp(y / T)."""
    return _shares([exp(score / T) for score in scores])


def pools(P: Vector, *, K: int) -> dict[frozenset[int], float]:
    """The probability of each set of K that draws without replacement can leave."""
    found: dict[frozenset[int], float] = {}
    for order in permutations(range(len(P)), K):
        chance, left = 1.0, 1.0
        for member in order:
            chance *= P[member] / left
            left -= P[member]
        found[frozenset(order)] = found.get(frozenset(order), 0.0) + chance
    return found


def negatives(P: Vector, likeness: Vector, *, K: int) -> Vector:
    """The probability of each item to be the pool's least alike member."""
    chances = [0.0] * len(P)
    for pool, chance in pools(P, K=K).items():
        chances[min(pool, key=lambda member: likeness[member])] += chance
    return chances


def _shares(values: Vector) -> Vector:
    return [value / sum(values) for value in values]
