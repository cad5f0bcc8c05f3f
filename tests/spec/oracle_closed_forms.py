"""Closed forms in slow plain Python over lists of lists, from their papers' formulas."""

import math

Matrix = list[list[float]]


def columns(R: Matrix) -> Matrix:
    """Transpose."""
    return [list(column) for column in zip(*R, strict=True)]


def dot(a: list[float], b: list[float]) -> float:
    """Inner product."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def item_knn(R: Matrix, *, k: int, shrink: float) -> Matrix:
    """Score by the k nearest items of each target item, shrunk cosine."""
    items = columns(R)
    scores = [[0.0] * len(items) for _ in R]
    for i, target in enumerate(items):
        near = []
        for j, other in enumerate(items):
            if j != i:
                norm = math.sqrt(dot(target, target)) * math.sqrt(dot(other, other))
                near.append((-dot(target, other) / (norm + shrink), j))
        for minus_similarity, j in sorted(near)[:k]:
            for u, row in enumerate(R):
                scores[u][i] -= minus_similarity * row[j]
    return scores


def ridge_column(R: Matrix, i: int, *, lam: float, steps: int = 20_000) -> list[float]:
    """Regress item i on the others by coordinate descent: no matrix is inverted."""
    items = columns(R)
    weights = [0.0] * len(items)
    for _ in range(steps):
        moved = 0.0
        for j in range(len(items)):
            if j == i:
                continue
            rest = [
                target - sum(weights[m] * row[m] for m in range(len(items)) if m != j)
                for target, row in zip(items[i], R, strict=True)
            ]
            best = dot(items[j], rest) / (dot(items[j], items[j]) + lam)
            moved, weights[j] = max(moved, abs(best - weights[j])), best
        if moved < 1e-12:
            break
    return weights


def linear_filter(R: Matrix) -> Matrix:
    """Score r R~'R~ of GF-CF, R~ = D_u^-1/2 R D_i^-1/2."""
    by_user = [sum(row) for row in R]
    by_item = [sum(column) for column in columns(R)]
    normed = [
        [x / math.sqrt(by_user[u] * by_item[i]) if x else 0.0 for i, x in enumerate(row)]
        for u, row in enumerate(R)
    ]
    around = [[dot(a, b) for b in columns(normed)] for a in columns(normed)]
    return [[dot(row, column) for column in columns(around)] for row in R]


def stacked_ridge(X: Matrix, n_items: int, *, lam: float) -> Matrix:
    """Regress each of the first n_items columns on all others: (columns, n_items) as rows."""
    found = [ridge_column(X, i, lam=lam) for i in range(n_items)]
    return columns(found)


def ials_half_step(R: Matrix, Y: Matrix, *, reg: float, alpha: float, steps: int = 5_000) -> Matrix:
    """Minimise sum_i c_ui (r_ui - x_u y_i)^2 + reg |x_u|^2 per user, one coordinate at a time."""
    solved = []
    for row in R:
        c = [1 + alpha * w for w in row]
        r = [1.0 if w else 0.0 for w in row]
        x = [0.0] * len(Y[0])
        for _ in range(steps):
            moved = 0.0
            for k in range(len(x)):
                rest = [r[i] - dot(x, y) + x[k] * y[k] for i, y in enumerate(Y)]
                top = sum(c[i] * y[k] * rest[i] for i, y in enumerate(Y))
                below = reg + sum(c[i] * y[k] ** 2 for i, y in enumerate(Y))
                moved, x[k] = max(moved, abs(top / below - x[k])), top / below
            if moved < 1e-13:
                break
        solved.append(x)
    return solved


def tf_idf(texts: list[str]) -> dict[int, dict[str, float]]:
    """Weigh words of plain lower-case texts that two texts or more have, and at most half."""
    bags = [text.split() for text in texts]
    found: dict[int, dict[str, float]] = {}
    for n, bag in enumerate(bags):
        row = {}
        for word in sorted(set(bag)):
            df = sum(word in other for other in bags)
            if 2 <= df <= max(len(texts) / 2, 2):
                row[word] = (1 + math.log(bag.count(word))) * (
                    1 + math.log((1 + len(texts)) / (1 + df))
                )
        length = math.sqrt(sum(value**2 for value in row.values()))
        found[n] = {word: value / length for word, value in row.items()}
    return found
