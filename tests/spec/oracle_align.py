"""Alignment in slow plain Python: the reliable positives of Eq. 6 and the contrast of Eq. 7."""

import math

Vectors = list[list[float]]


def dot(a: list[float], b: list[float]) -> float:
    """Inner product."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def cosine(a: list[float], b: list[float]) -> float:
    """Inner product of unit vectors."""
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def reliable(
    users: Vectors, items: Vectors, edges: set[tuple[int, int]], *, n: int
) -> set[tuple[int, int]]:
    """Intersect each user's items with the n nearest texts, or keep all of them."""
    kept = set()
    for u, text in enumerate(users):
        order = sorted(range(len(items)), key=lambda i: (-cosine(text, items[i]), i))
        liked = {(u, i) for someone, i in edges if someone == u}
        kept |= {(u, i) for i in order[:n]} & liked or liked
    return kept


def contrast(
    users: Vectors, positives: Vectors, negatives: Vectors, wrong: list[list[bool]], tau: float
) -> list[float]:
    """Return -ln of the positive's share of exp(cosine / tau)."""
    losses = []
    for u, p, skipped in zip(users, positives, wrong, strict=True):
        own = math.exp(cosine(u, p) / tau)
        others = sum(
            math.exp(cosine(u, j) / tau)
            for j, skip in zip(negatives, skipped, strict=True)
            if not skip
        )
        losses.append(-math.log(own / (own + others)))
    return losses
