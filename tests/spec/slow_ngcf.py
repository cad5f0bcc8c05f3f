"""NGCF (arXiv 1905.08108, Eq. 3-9), message by message in plain Python."""

from math import sqrt

from tests.spec.slow_graph import Edges, Matrix

Vector = list[float]
Arrived = dict[tuple[int, int], float]  # (to, from) -> 0 or 1/(1 - p), for one layer


def embeddings(
    edges: Edges,
    X: Matrix,
    W1: list[Matrix],
    W2: list[Matrix],
    *,
    n_users: int,
    slope: float,
    arrived: list[Arrived] | None = None,
) -> Matrix:
    """Return every node's vectors of all layers, side by side."""
    degree = [0.0] * len(X)
    for user, item, weight in edges:
        degree[user] += weight
        degree[n_users + item] += weight
    layers = [X]
    for at in range(len(W1)):
        E, factors = layers[-1], arrived[at] if arrived else {}
        nodes = []
        for to in range(len(X)):
            # Eq. 4: a node's message to itself
            summed = [factors.get((to, to), 1.0) * x for x in _times(E[to], W1[at])]
            for user, item, weight in edges:
                for target, source in ((user, n_users + item), (n_users + item, user)):
                    if target == to and weight > 0:
                        # Eq. 3: p_ui (W1 e_i + W2 (e_i * e_u))
                        p = weight / sqrt(degree[target] * degree[source])
                        p *= factors.get((to, source), 1.0)
                        both = [a * b for a, b in zip(E[source], E[to], strict=True)]
                        first, second = _times(E[source], W1[at]), _times(both, W2[at])
                        message = [p * (a + b) for a, b in zip(first, second, strict=True)]
                        summed = [a + b for a, b in zip(summed, message, strict=True)]
            nodes.append([x if x > 0 else slope * x for x in summed])
        layers.append(nodes)
    return [[x for layer in layers for x in layer[node]] for node in range(len(X))]


def _times(row: Vector, W: Matrix) -> Vector:
    return [sum(x * W[k][column] for k, x in enumerate(row)) for column in range(len(W[0]))]
