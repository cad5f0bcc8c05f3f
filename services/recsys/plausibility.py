"""How far each edge is from chance: the edges' evidence against that of pairs nobody chose.

No label is needed. Pairs drawn by chance are fakes of known identity; a logistic regression
tells the edges from them, and an edge that it takes for one of them is suspicious. Some of the
edges are noise themselves: under positive-unlabelled learning (Elkan and Noto 2008) that scales
the odds and leaves their order alone. Because the evidence leaves each pair itself out, a
non-edge looks exactly as if it had been planted, and nothing need be planted.
"""

import numpy as np
from scipy.special import expit, ndtri

from services.recsys.arrays import check_directions
from services.recsys.data import Floats, Interactions, Ints
from services.recsys.detect import KINDS, drawn
from services.recsys.evidence import Columns, evidence
from services.recsys.metrics import average_ranks
from services.recsys.suspicion import Scores

SAMPLE = 60_000
"""Most edges that are learned from, and most pairs drawn beside them."""
RIDGE = 1.0
STEPS, SETTLED = 25, 1e-6
BLOCK = 65_536


def plausibility(
    train: Interactions, *, vectors: Floats | None, rng: np.random.Generator
) -> Scores:
    """Return the log-odds of each edge against a pair drawn by chance, low is suspicious: (E,).

    s = b0 + b'g + g'B g over the normal scores g of `evidence`'s columns. A third of the drawn
    pairs are uniform, a third have items drawn by popularity, a third both ends by degree, for
    nobody knows which noise a log has. Users' profiles are no evidence: they may have been
    written from the very edge in question. 0 for every edge where no pair is left to draw.

    Args:
        train: the observed graph; weights are not used.
        vectors: (I, d) directions of the items' texts (`texts.directions`), or None.
        rng: draws pairs and folds.

    Raises:
        ValueError: the vectors are not dense, not finite, or not one for each item.
    """
    if vectors is not None:
        check_directions(vectors, train.n_items)
    others = _chance(train, rng)
    if not len(others):
        return np.zeros(len(train))
    pairs = np.concatenate([train.keys(), others])
    users, items = pairs // train.n_items, pairs % train.n_items
    columns = evidence(train, users=users, items=items, vectors=vectors, rng=rng)
    g = np.stack([_normal_scores(column) for column in columns.T], axis=1)
    learned = rng.permutation(len(train))[:SAMPLE]
    b = logistic(_quadratic(g[learned]), _quadratic(g[len(train) :]))
    blocks = np.split(g[: len(train)], range(BLOCK, len(train), BLOCK))
    return np.concatenate([_quadratic(block) @ b for block in blocks])


def logistic(true: Columns, false: Columns) -> Scores:
    """Fit log-odds X b of the true rows (n, k) against the false (m, k), each side half: (k,).

    Newton's method on the mean cross-entropy times n + m, plus RIDGE / 2 |b|^2; convex, so it has
    no seed and no rate. A step is halved while it would cost more than it saves: columns with
    heavy tails throw whole steps far beyond the least cost.
    """
    X = np.concatenate([true, false])
    y = np.arange(len(X)) < len(true)
    half = len(X) / 2
    weights = np.where(y, half / len(true), half / len(false))

    def cost(b: Scores) -> float:
        fit = weights * np.logaddexp(0, np.where(y, -1, 1) * (X @ b))
        return float(fit.sum() + RIDGE / 2 * b @ b)

    b = np.zeros(X.shape[1])
    for _ in range(STEPS):
        p = expit(X @ b)
        slope = X.T @ (weights * (y - p)) - RIDGE * b
        curve = (X * (weights * p * (1 - p))[:, None]).T @ X + RIDGE * np.eye(len(b))
        step = np.linalg.solve(curve, slope)
        before = cost(b)
        while np.abs(step).max() >= SETTLED and cost(b + step) > before:
            step /= 2
        b += step
        if np.abs(step).max() < SETTLED:
            break
    return b


def _chance(train: Interactions, rng: np.random.Generator) -> Ints:
    """Return keys of non-edges, a third of each kind, about as many as edges: (m,)."""
    wanted = min(len(train), SAMPLE) // len(KINDS) + 1
    found = [drawn(train, wanted, kind, rng) for kind in KINDS] if len(train) else []
    keys = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *found]))
    return np.setdiff1d(keys, train.keys(), assume_unique=True)


def _normal_scores(column: Scores) -> Scores:
    """Return each value's rank as a quantile of the normal distribution; ties share theirs."""
    found: Scores = ndtri((average_ranks(column) - 0.5) / len(column))
    return found


def _quadratic(g: Columns) -> Columns:
    """Return 1, every column and every product of two: (n, k) -> (n, 1 + k + k(k + 1)/2)."""
    a, b = np.triu_indices(g.shape[1])
    return np.concatenate([np.ones((len(g), 1)), g, g[:, a] * g[:, b]], axis=1)
