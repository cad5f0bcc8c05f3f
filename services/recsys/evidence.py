"""What the rest of the graph and the items' texts say of a pair (u, i), never what it says itself.

Every column judges the pair in the graph without it: of an edge that edge is taken out, of a
non-edge there is nothing to take. So edges can be compared with pairs that nobody chose, and a
planted edge earns nothing by having been trained on. Pairs come as users and items (n,), in any
order; edge weights are not used.
"""

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from services.recsys.data import Bools, Floats, Interactions, Ints
from services.recsys.spectrum import leading
from services.recsys.suspicion import Scores, support

Columns = npt.NDArray[np.float64]

RANK, FOLDS = 64, 5
SMALL, DENSE = 4 * RANK, 2**24
"""Users or items, and cells, up to which the SVD is dense."""
PAIRS = 65_536
"""Pairs whose vectors are held at once."""
SMALLEST = 1e-9  # a length below is rounding


def evidence(
    train: Interactions,
    *,
    users: Ints,
    items: Ints,
    vectors: Floats | None,
    rng: np.random.Generator,
) -> Columns:
    """Return all columns: (n, 5), with item `vectors` (I, d) of length 1 (n, 7)."""
    columns = [support(train, users=users, items=items)[:, None]]
    columns += [low_rank(train, users=users, items=items, rng=rng)]
    if vectors is not None:
        columns += [likeness(train, vectors, users=users, items=items)]
    return np.concatenate([*columns, degrees(train, users=users, items=items)], axis=1)


def degrees(train: Interactions, *, users: Ints, items: Ints) -> Columns:
    """Return how many other items u has, and how many other users i has: (n, 2)."""
    mine = train.contains(users=users, items=items)
    both = [train.user_degrees()[users] - mine, train.item_degrees()[items] - mine]
    return np.stack(both, axis=1).astype(np.float64)


def low_rank(train: Interactions, *, users: Ints, items: Ints, rng: np.random.Generator) -> Columns:
    """Return what the leading singular vectors of a graph without the pair say: (n, 2).

    Cross-fitted: the edges fall into folds by chance, and each fold is judged by the truncated
    SVD of D_u^-1/2 R D_i^-1/2 over the others, U S V'; a non-edge is judged by a fold's SVD as an
    edge would be. The columns are <u S, v>, the ideal low pass of GF-CF (Shen et al. 2021), and
    cos(u S, v S). The SVD is cut at 64.
    """
    at = train.locate(users=users, items=items)
    by_edge, by_chance = rng.integers(FOLDS, size=len(train)), rng.integers(FOLDS, size=len(users))
    fold = by_chance.copy()
    fold[at >= 0] = by_edge[at[at >= 0]]
    found = np.zeros((len(users), 2))
    for one in range(FOLDS):
        rows = np.flatnonzero(fold == one)
        U, V = _singular(train.where(by_edge != one))
        for some in np.split(rows, range(PAIRS, len(rows), PAIRS)):
            u, v = U[users[some]], V[items[some]]
            found[some] = np.stack([_dots(u, v[:, 0]), _cosines(u, v[:, 1])], axis=1)
    return found


def likeness(train: Interactions, vectors: Floats, *, users: Ints, items: Ints) -> Columns:
    """Return how like the item's text, and its readers, are to u's other items: (n, 2).

    With h = sum of x_j over u's other items, the columns are cos(h, x_i) and cos(h, w), where w
    is the mean over i's other users v of the mean x_j of v's items without i. 0 where nothing is
    left to compare, be it that there are no others or that they have no text.
    """
    ones = Interactions(train.users, train.items, train.n_users, train.n_items).csr()
    sums, degrees = ones @ vectors, train.user_degrees()  # (U, d)
    share = np.where(degrees > 1, 1.0 / np.maximum(degrees - 1, 1), 0.0).astype(np.float32)
    readers = ones.T @ (sums * share[:, None]) - vectors * (ones.T @ share)[:, None]  # (I, d)
    # a text that is missing is zeros, and what is left of a sum of such is rounding
    texted: Bools = np.abs(vectors).max(axis=1, initial=0) > 0
    known = ones @ texted.astype(np.float64)
    # readers of i who have something else to be known by
    others = np.where(texted, ones.T @ (known > 1), ones.T @ (known > 0))
    mine = train.contains(users=users, items=items)
    found = np.zeros((len(users), 2))
    for some in np.split(np.arange(len(users)), range(PAIRS, len(users), PAIRS)):
        u, i, own = users[some], items[some], mine[some]
        h = sums[u] - own[:, None] * vectors[i]
        w = readers[i] - (own * share[u])[:, None] * h
        read = known[u] > own * texted[i]
        both = read & (others[i] > own * read)
        found[some] = np.stack([_cosines(h, vectors[i]) * read, _cosines(h, w) * both], axis=1)
    return found


def _singular(train: Interactions) -> tuple[Floats, Floats]:
    """Return U S: (U, k), and V beside V S: (I, 2, k); zeros where nothing is left."""
    scale = train.user_degrees()[train.users] * train.item_degrees()[train.items]
    R = train.csr().astype(np.float32)
    R.data = (1.0 / np.sqrt(scale)).astype(np.float32)
    left, values, right = _leading(R)
    return left * values, np.stack([right.T, right.T * values], axis=1)


def _leading(R: csr_matrix) -> tuple[Floats, Floats, Floats]:
    """Return the leading singular triplets, RANK at most."""
    if min(R.shape) > SMALL or R.shape[0] * R.shape[1] > DENSE:
        return leading(R, RANK)
    left, values, right = np.linalg.svd(R.toarray().astype(np.float32), full_matrices=False)
    return _f32(left[:, :RANK]), _f32(values[:RANK]), _f32(right[:RANK])


def _f32(values: npt.NDArray[np.floating]) -> Floats:
    return values.astype(np.float32, copy=False)


def _dots(a: Floats, b: Floats) -> Scores:
    found: Scores = np.einsum("nd,nd->n", a, b).astype(np.float64)
    return found


def _cosines(a: Floats, b: Floats) -> Scores:
    lengths = np.sqrt(_dots(a, a) * _dots(b, b))
    found: Scores = np.where(lengths > SMALLEST, _dots(a, b) / np.maximum(lengths, SMALLEST), 0.0)
    return found
