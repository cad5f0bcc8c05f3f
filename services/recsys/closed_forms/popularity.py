"""Popularity: the same list for everybody, the floor of every table."""

import numpy as np
from scipy.sparse import csr_matrix

from services.recsys.closed_forms.base import ClosedForm, Floats


class Popularity(ClosedForm):
    """score(u, i) = the number (or weight) of i's interactions."""

    def _solve(self, R: csr_matrix) -> None:
        self.counts = np.asarray(R.sum(axis=0), dtype=np.float32).ravel()  # (I,)

    def score_rows(self, rows: csr_matrix) -> Floats:
        """Repeat the counts for every row: (b, I)."""
        return np.tile(self.counts, (rows.shape[0], 1))
