"""The leading singular triplets of a sparse matrix: the same bytes for the same matrix."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import LinearOperator, eigsh

from services.recsys.data import Floats

SMALLEST = 1e-6
"""Singular values below are rounding; the largest of what is asked about here is 1."""


def leading(
    R: csr_matrix, k: int, *, start: npt.ArrayLike | None = None
) -> tuple[Floats, Floats, Floats]:
    """Return U, S, V', the largest first: (n, r), (r,), (r, m), r <= min(k, n - 1, m - 1).

    Fewer than k where the rank is exhausted, none where R has no entry. ARPACK goes on from
    vectors drawn by chance where it runs out of rank: here those are always the same ones. `start`
    is the vector that it begins with, of the smaller side; ones unless told.
    """
    n, m = R.shape
    small = min(n, m)
    k = min(k, small - 1)
    if not R.count_nonzero() or k < 1:
        return tuple(np.zeros(shape, np.float32) for shape in ((n, 0), 0, (0, m)))  # type: ignore[return-value] # three of them
    A = (R if n >= m else csr_matrix(R.T)).astype(np.float64)
    squared = LinearOperator((small, small), matvec=lambda x: A.T @ (A @ x), dtype=np.float64)
    first = np.ones(small) if start is None else np.asarray(start, dtype=np.float64)
    squares, V = eigsh(squared, k=k, v0=first, rng=np.random.default_rng(0))
    values = np.sqrt(squares[::-1].clip(min=0))
    there = values > SMALLEST
    values, V = values[there], V[:, ::-1][:, there]
    U = (A @ V) / values
    left, right = (U, V.T) if n >= m else (V, U.T)
    return left.astype(np.float32), values.astype(np.float32), right.astype(np.float32)
