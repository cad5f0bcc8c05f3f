"""Vectors for those who came after the training: folded in from a history, mapped from a text.

The trained vectors stay as they are. Three ridge regressions, fitted on those who were trained,
lead into their space: from what a user took, from a user's text and from an item's text. Chosen
by measurement among the means, least squares as in iALS and the aligned texts: docs/log.md.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from services.recsys.data import Embeddings, Interactions

Floats = npt.NDArray[np.floating]

LAMBDAS = (0.1, 1.0, 10.0, 100.0)
"""The strengths that `fit_map` tries."""

HELD_OUT = 10
"""Every tenth row judges the strengths; with fewer rows than this, the strongest is taken."""

MOST_ROWS = 50_000
"""A map is fitted on so many rows at most, evenly spaced: its memory does not grow with the log."""


@dataclass(frozen=True, eq=False)
class Map:
    """x -> unit(bias + (x - mean) W) * length; who has no x (zeros) has no vector either."""

    mean: Floats  # (p,)
    W: Floats  # (p, d)
    bias: Floats  # (d,)
    length: float

    def __call__(self, X: Floats) -> Floats:
        """Map the rows: (n, p) -> (n, d)."""
        there = (X != 0).any(axis=1, keepdims=True)
        mapped: Floats = unit(self.bias + (X - self.mean) @ self.W) * self.length * there
        return mapped.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A map, the strength that was taken, and how well it meets rows that it was not fitted on."""

    map: Map
    lam: float
    cosine: float | None  # mean over the held-out rows; None with too few rows to hold any out


def unit(X: Floats) -> Floats:
    """Return the rows at length 1; zeros stay zeros."""
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    scaled: Floats = X / np.maximum(norms, 1e-12)
    return scaled


def fit_map(
    X: Floats, Y: Floats, *, lambdas: tuple[float, ...] = LAMBDAS, most: int = MOST_ROWS
) -> Fitted:
    """Regress the directions of Y (n, d) on X (n, p), m and b the means of both.

    argmin |unit(Y) - b - (X - m) W|^2 + lam |W|^2

    Rows of zeros on either side tell nothing and are left out; of more than `most` rows, evenly
    spaced ones are read. The strength with the best mean cosine on every tenth of them is taken,
    the first on a tie, and fitted anew on all of them.

    Raises:
        ValueError: no row is left.
    """
    told = np.flatnonzero((X != 0).any(axis=1) & (Y != 0).any(axis=1))
    told = told[:: max(1, -(-len(told) // most))]
    X, Y = X[told].astype(np.float64), Y[told].astype(np.float64)
    if not len(X):
        raise ValueError("nobody has both a vector and something to map it from")
    length = float(np.linalg.norm(Y, axis=1).mean())
    Y = unit(Y)
    if len(X) < HELD_OUT:
        return Fitted(_solve(X, Y, lam=lambdas[-1], length=length), lambdas[-1], None)
    out = np.arange(len(X)) % HELD_OUT == 0
    tried = [_solve(X[~out], Y[~out], lam=lam, length=1.0) for lam in lambdas]
    cosines = [float((one(X[out]) * Y[out]).sum(axis=1).mean()) for one in tried]
    best = int(np.argmax(cosines))
    return Fitted(_solve(X, Y, lam=lambdas[best], length=length), lambdas[best], cosines[best])


def fit_fold_in(z: Embeddings, train: Interactions) -> Fitted:
    """Fit the map from what a user took to the user's trained vector."""
    return fit_map(pooled(train.csr(), z.items.numpy()), z.users.numpy())


def pooled(rows: csr_matrix, items: Floats) -> Floats:
    """Return the direction of each history's mean item vector: (n, I), (I, d) -> (n, d)."""
    return unit(np.asarray(rows @ items, dtype=np.float32))


def _solve(X: Floats, Y: Floats, *, lam: float, length: float) -> Map:
    mean, bias = X.mean(axis=0), Y.mean(axis=0)
    A = X - mean
    W = np.linalg.solve(A.T @ A + lam * np.eye(A.shape[1]), A.T @ (Y - bias))
    return Map(mean.astype(np.float32), W.astype(np.float32), bias.astype(np.float32), length)
