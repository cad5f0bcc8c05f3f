"""The normalised adjacency and its layer mean, edge by edge in plain Python."""

from math import sqrt

Edges = list[tuple[int, int, float]]  # user, item, weight
Matrix = list[list[float]]


def normalised(edges: Edges, *, n_users: int, n_items: int) -> Matrix:
    """Return the (N, N) matrix of a_ui / sqrt(d_u d_i), users before items."""
    n = n_users + n_items
    degree = [0.0] * n
    for user, item, weight in edges:
        degree[user] += weight
        degree[n_users + item] += weight
    matrix = [[0.0] * n for _ in range(n)]
    for user, item, weight in edges:
        if weight > 0:
            value = weight / sqrt(degree[user] * degree[n_users + item])
            matrix[user][n_users + item] = value
            matrix[n_users + item][user] = value
    return matrix


def layer_mean(matrix: Matrix, X: Matrix, *, n_layers: int) -> Matrix:
    """Return the mean of X, AX, ..., A^L X, every power kept."""
    powers = [X]
    for _ in range(n_layers):
        powers.append(_product(matrix, powers[-1]))
    return [
        [sum(power[row][column] for power in powers) / len(powers) for column in range(len(X[0]))]
        for row in range(len(X))
    ]


def _product(A: Matrix, X: Matrix) -> Matrix:
    return [
        [sum(A[row][k] * X[k][column] for k in range(len(X))) for column in range(len(X[0]))]
        for row in range(len(A))
    ]
