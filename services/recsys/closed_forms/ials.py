"""iALS: weighted least squares in turn (Hu, Koren and Volinsky 2008; Rendle et al. 2022).

argmin sum_ui c_ui (r_ui - x_u y_i)^2 + reg (|X|^2 + |Y|^2), r_ui = 1 and c_ui = 1 + alpha w_ui on
the edges, r = 0 and c = 1 on every other cell.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from services.recsys.closed_forms.base import ClosedForm, Floats, Ints

_GATHERED = 16_384
"""Vectors of the other side that are looked at together: bounds the memory of a step."""


class Ials(ClosedForm):
    """A half step solves every row exactly; the user step of the fit is the fold-in itself."""

    def __init__(
        self,
        *,
        f: int = 256,
        reg: float = 30.0,
        alpha: float = 39.0,
        sweeps: int = 10,
        seed: int = 0,
    ) -> None:
        self.f, self.reg, self.alpha = f, reg, alpha
        self.sweeps, self.seed = sweeps, seed

    def _solve(self, R: csr_matrix) -> None:
        rng = np.random.default_rng(self.seed)
        start = rng.standard_normal((R.shape[1], self.f), dtype=np.float32)
        self.Y = start * np.float32(0.1 / np.sqrt(self.f))  # (I, f)
        flipped = csr_matrix(R.T)
        for _ in range(self.sweeps):
            X = self.fold_in(R)
            self.Y = _half_step(flipped, X, reg=self.reg, alpha=self.alpha)

    def fold_in(self, rows: csr_matrix) -> Floats:
        """Return the user vectors of any histories: (b, I) -> (b, f)."""
        return _half_step(rows, self.Y, reg=self.reg, alpha=self.alpha)

    def score_rows(self, rows: csr_matrix) -> Floats:
        """Fold each row in, then score all items: (b, I) -> (b, I)."""
        return self.fold_in(rows) @ self.Y.T


def _half_step(rows: csr_matrix, Y: Floats, *, reg: float, alpha: float) -> Floats:
    """Solve (Y'Y + Y_S' a Y_S + reg I) x = Y_S' (1 + a) per row, a = alpha w: (n, f).

    In the eigenbasis of Y'Y the part that all rows share is a diagonal D^-1, and a row with d
    edges needs a system of size d only: x = D Y_S' (1/a + Y_S D Y_S')^-1 (1 + a)/a. A row with
    more edges than f is solved as it stands.
    """
    values, Q = np.linalg.eigh((Y.T @ Y).astype(np.float64))
    D = (1 / (values.clip(min=0) + reg)).astype(np.float32)  # (f,)
    turned = Y @ Q.astype(np.float32)
    rows = csr_matrix(rows, copy=True)
    rows.eliminate_zeros()  # an edge of weight 0 is none
    solved = np.zeros((rows.shape[0], Y.shape[1]), dtype=np.float32)
    for some, at, weights, there in _by_degree(rows):
        B = turned[at] * there[..., None]  # (b, d, f)
        a = np.where(there, alpha * weights, 1.0).astype(np.float32)  # (b, d)
        solve = _small if B.shape[1] <= B.shape[2] else _large
        solved[some] = solve(B, D, a, (1 + a) * there)
    turned_back: Floats = solved @ Q.T.astype(np.float32)
    return turned_back


def _small(B: Floats, D: Floats, a: Floats, target: Floats) -> Floats:
    K = (B * D) @ B.transpose(0, 2, 1)  # (b, d, d)
    K[:, np.arange(K.shape[1]), np.arange(K.shape[1])] += 1 / a
    dual = np.linalg.solve(K, (target / a)[..., None])  # (b, d, 1)
    x: Floats = (B.transpose(0, 2, 1) @ dual)[..., 0] * D
    return x


def _large(B: Floats, D: Floats, a: Floats, target: Floats) -> Floats:
    A = (B * a[..., None]).transpose(0, 2, 1) @ B  # (b, f, f)
    A[:, np.arange(len(D)), np.arange(len(D))] += 1 / D
    b = (B * target[..., None]).sum(axis=1)
    x: Floats = np.linalg.solve(A, b[..., None])[..., 0]
    return x


def _by_degree(
    rows: csr_matrix,
) -> Iterator[tuple[Ints, Ints, Floats, npt.NDArray[np.bool_]]]:
    """Yield rows of like degree together: (b,) rows and their (b, d) items, weights and mask."""
    degrees = np.diff(rows.indptr)
    order = np.argsort(degrees, kind="stable")
    order = order[degrees[order] > 0]
    start = 0
    while start < len(order):
        # the widest block whose padded size stays within the bound, one row at least
        ahead = degrees[order[start : start + _GATHERED]]
        sizes = ahead * np.arange(1, len(ahead) + 1)
        stop = start + max(1, int(np.searchsorted(sizes, _GATHERED, side="right")))
        some = order[start:stop]
        width = int(degrees[some[-1]])
        place = np.arange(width)
        there = place < degrees[some, None]
        at = np.where(there, rows.indptr[some, None] + place, 0)
        yield some, rows.indices[at].astype(np.int64), rows.data[at], there
        start = stop
