"""Collective EASE: items are regressed on items that share people or words, and on who asks.

Collective EASE (Jeunen et al. 2020, "Closed-form models for collaborative filtering with side
information") stacks item features as further rows below R. The texts of users stand beside R as
further columns, which no user has to do without: a ridge of every item on them, solved together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from services.recsys.closed_forms.base import ClosedForm, Floats, Ints
from services.recsys.closed_forms.ease import inverse

_BLOCK = 1024
"""Rows of X X' that are made at a time."""

Features = csr_matrix | Floats
"""One row an item: sparse words or dense vectors, (I, p)."""


@dataclass(frozen=True, eq=False)
class Side:
    """Features of the items and what their likeness weighs against one shared user."""

    features: Features  # (I, p)
    weight: float


class CollectiveEase(ClosedForm):
    """B = -P / diag(P), 0 on the diagonal, P = (X'X + lam I)^-1 over items and user features.

    X'X = [[R'R + sum a_s F_s F_s', beta R'Q], [beta Q'R, beta^2 Q'Q]], F_s the features of the
    items, Q those of the users (U, q); scores are [r, beta q] B. Time and memory as EASE's over
    I + q columns. `mean` (q,) is what was taken out of Q beforehand: newcomers' vectors come as
    they are and lose it, too.

    Between items B becomes sign(B)|B|^power, rescaled to its Frobenius norm: above 1 the many small
    entries, each of them mostly chance, lose to the few large ones. 1 is the paper's.
    """

    def __init__(
        self,
        sides: Sequence[Side],
        *,
        lam: float = 130.0,
        users: Floats | None = None,
        beta: float = 1.5,
        mean: Floats | None = None,
        power: float = 1.0,
    ) -> None:
        if not power > 0:  # nor may it be NaN
            raise ValueError(f"power must be above 0, and is {power}")
        self.power = power
        self.sides, self.lam, self.beta = tuple(sides), lam, beta
        self.users = None if users is None or not beta else users * np.float32(beta)
        self.mean = mean

    def _solve(self, R: csr_matrix) -> None:
        n, gram = R.shape[1], self._gram(R)
        gram[np.diag_indices_from(gram)] += self.lam
        P = inverse(gram)
        B = P[:, :n] / -np.diag(P)[:n]
        B[np.diag_indices(n)] = 0.0
        self.B = sharpened(B[:n], self.power)  # (I, I)
        self.C = np.ascontiguousarray(B[n:])  # (q, I)

    def score_rows(self, rows: csr_matrix) -> Floats:
        """Regress every item on each row: (b, I) @ (I, I)."""
        scores: Floats = rows @ self.B
        return scores

    def score_texts(self, texts: Floats) -> Floats:
        """What the vectors of people's texts add to `score_rows`: (b, q) -> (b, I).

        As they were before the mean was taken out; a missing text (zeros) adds nothing.
        """
        if self.users is None:
            return np.zeros((len(texts), self.B.shape[1]), dtype=np.float32)
        if self.mean is not None:
            texts = np.where(texts.any(axis=1, keepdims=True), texts - self.mean, texts)
        return (texts * np.float32(self.beta)) @ self.C

    def score_block(self, users: Ints) -> Floats:
        """Score by the history and the text of users of the fit: (b,) -> (b, I)."""
        scores = self.score_rows(self.rows[users])
        return scores if self.users is None else scores + self.users[users] @ self.C

    def _gram(self, R: csr_matrix) -> Floats:
        n, q = R.shape[1], 0 if self.users is None else self.users.shape[1]
        gram = np.zeros((n + q, n + q), dtype=np.float32, order="F")
        taken = csr_matrix(R.T)
        for start in range(0, n, _BLOCK):
            some = slice(start, min(start + _BLOCK, n))
            gram[some, :n] = (taken[some] @ R).toarray()
            for side in self.sides:
                gram[some, :n] += np.float32(side.weight) * outer(side.features, some)
        if self.users is not None:
            gram[n:, n:] = self.users.T @ self.users
            gram[:n, n:] = R.T @ self.users
            gram[n:, :n] = gram[:n, n:].T
        return gram


def sharpened(B: Floats, power: float) -> Floats:
    """Return sign(B)|B|^power at B's Frobenius norm: (I, I) -> (I, I)."""
    if power == 1:
        return np.ascontiguousarray(B)
    found: Floats = np.abs(B)
    np.power(found, power, out=found)
    np.copysign(found, B, out=found)
    length = float(np.linalg.norm(found))
    if length > 0:
        found *= np.float32(np.linalg.norm(B) / length)
    return found


class TextKernel(ClosedForm):
    """score(r) = r F F': what is written like what one has taken."""

    def __init__(self, features: Features) -> None:
        self.features = features

    def _solve(self, R: csr_matrix) -> None:
        """Nothing to solve: the likeness of texts is given."""

    def score_rows(self, rows: csr_matrix) -> Floats:
        """Sum the likeness to the items of each row: (b, I) -> (b, I)."""
        return _dense((rows @ self.features) @ self.features.T)


def outer(features: Features, some: slice) -> Floats:
    """Return the likeness of some items to all: (b, I)."""
    return _dense(features[some] @ features.T)


def _dense(product: Any) -> Floats:  # noqa: ANN401 - sparse or dense, as its features were
    dense: Floats = product.toarray() if isinstance(product, csr_matrix | csc_matrix) else product
    return dense
