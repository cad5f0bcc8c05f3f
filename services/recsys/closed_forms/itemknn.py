"""ItemKNN: an item is liked by those who like its k nearest items (Sarwar et al. 2001)."""

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from services.recsys.closed_forms.base import ClosedForm, Floats
from services.recsys.topk import top_k


class ItemKnn(ClosedForm):
    """score(u, i) = sum of s(j, i) over u's items j that are among the k nearest of i.

    s(j, i) = <r_j, r_i> / (|r_j| |r_i| + shrink): the shrunk cosine, which distrusts pairs of
    items with few people in common.
    """

    def __init__(self, *, k: int = 50, shrink: float = 20.0, block: int = 512) -> None:
        self.k, self.shrink, self.block = k, shrink, block

    def _solve(self, R: csr_matrix) -> None:
        n_items = R.shape[1]
        parts = [
            self._nearest(R, start, min(start + self.block, n_items))
            for start in range(0, n_items, self.block)
        ]
        nearest, values = (np.concatenate(side) for side in zip(*parts, strict=True))
        kept = np.isfinite(values) & (values > 0)
        target = np.repeat(np.arange(n_items), kept.sum(axis=1))
        S = csc_matrix((values[kept], (nearest[kept], target)), shape=(n_items, n_items))
        self.similarity = S.tocsr()  # (I, I), column i holds the neighbours of i

    def _nearest(self, R: csr_matrix, start: int, stop: int) -> tuple[np.ndarray, Floats]:
        """Return the k nearest items of items [start, stop): (b, k) indices and similarities."""
        norms = np.sqrt(np.asarray(R.power(2).sum(axis=0), dtype=np.float32)).ravel()
        together = (R[:, start:stop].T @ R).toarray()  # (b, I)
        cosine = together / (norms[start:stop, None] * norms[None, :] + self.shrink)
        cosine[np.arange(stop - start), np.arange(start, stop)] = -np.inf  # no neighbour of itself
        return top_k(cosine, self.k)

    def score_rows(self, rows: csr_matrix) -> Floats:
        """Sum the similarities to the items of each row: (b, I) @ (I, I)."""
        scores: Floats = (rows @ self.similarity).toarray()
        return scores
