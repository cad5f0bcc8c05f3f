"""What all closed forms share: fit on a graph, score rows of history."""

from abc import ABC, abstractmethod
from copy import copy
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from services.recsys.data import Interactions

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class ClosedForm(ABC):
    """A model whose scores are a function of the user's row and of what `fit` kept of R."""

    rows: csr_matrix  # R, (U, I), the edge weights as given

    def fit(self, train: Interactions) -> Self:
        """Solve for the training interactions and return the model."""
        self.rows = train.csr()
        self._solve(self.rows)
        return self

    def reading(self, histories: Interactions) -> Self:
        """Return the same solution for the same users with the histories of another graph."""
        found = copy(self)
        found.rows = histories.csr()
        return found

    def score_block(self, users: Ints) -> Floats:
        """Score all items for users of the fit: (b,) -> (b, I)."""
        return self.score_rows(self.rows[users])

    @abstractmethod
    def score_rows(self, rows: csr_matrix) -> Floats:
        """Score all items for any histories, of the fit or not: (b, I) -> (b, I)."""

    @abstractmethod
    def _solve(self, R: csr_matrix) -> None:
        """Keep what scoring needs."""


def inverse_power(degrees: npt.ArrayLike, power: float) -> Floats:
    """Return degrees^-power, 0 where the degree is 0 (an item nobody has keeps no weight)."""
    values = np.asarray(degrees, dtype=np.float64).ravel()
    scaled = np.zeros_like(values)
    np.power(values, -power, out=scaled, where=values > 0)
    return scaled.astype(np.float32)
