"""The losses, one pair at a time in plain Python."""

from math import exp, log, sqrt

Vector = list[float]


def bpr(positive: float, negative: float) -> float:
    """-ln sigmoid(y_ui - y_uj)."""
    return -log(1 / (1 + exp(-(positive - negative))))


def sampled_softmax(positive: float, negatives: Vector, *, tau: float) -> float:
    """The positive against the given negatives."""
    top = exp(positive / tau)
    return -log(top / (top + sum(exp(negative / tau) for negative in negatives)))


def infonce(
    anchors: list[Vector], positives: list[Vector], *, tau: float, names: list[int] | None = None
) -> Vector:
    """One loss per anchor; positives of its own positive's name are no negatives."""
    names = list(range(len(anchors))) if names is None else names
    losses = []
    for k, anchor in enumerate(anchors):
        own = exp(cosine(anchor, positives[k]) / tau)
        rest = sum(
            exp(cosine(anchor, positives[other]) / tau)
            for other in range(len(positives))
            if names[other] != names[k]
        )
        losses.append(-log(own / (own + rest)))
    return losses


def cosine(a: Vector, b: Vector) -> float:
    """The dot product over the two lengths."""
    return dot(a, b) / sqrt(dot(a, a) * dot(b, b))


def dot(a: Vector, b: Vector) -> float:
    """The sum of products."""
    return sum(x * y for x, y in zip(a, b, strict=True))
