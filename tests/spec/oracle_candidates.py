"""Suspicion of an edge in slow plain Python: the edge is really taken out of the graph."""

import math

Pairs = list[tuple[int, int]]


def people(pairs: Pairs, item: int) -> set[int]:
    """Return the users of an item."""
    return {user for user, other in pairs if other == item}


def cosine(pairs: Pairs, one: int, other: int) -> float:
    """Compare two items by the users they share; 0 where one has nobody."""
    a, b = people(pairs, one), people(pairs, other)
    return len(a & b) / math.sqrt(len(a) * len(b)) if a and b else 0.0


def leave_one_out(pairs: Pairs) -> list[float]:
    """Return, for each edge, its similarity to the rest of the history without that edge."""
    scores = []
    for user, item in pairs:
        rest = [pair for pair in pairs if pair != (user, item)]
        history = [other for someone, other in rest if someone == user]
        scores.append(sum(cosine(rest, item, other) for other in history))
    return scores
