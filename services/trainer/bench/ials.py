"""iALS (Hu, Koren and Volinsky 2008; Rendle et al. 2022) by the library `implicit`; bench only."""

import importlib.util

from scipy.sparse import csr_matrix

from services.recsys.closed_forms import ClosedForm
from services.recsys.closed_forms.base import Floats, Ints

ABSENT = (
    "iALS is left out: the library `implicit` is not installed "
    "(pip install -r requirements/bench.lock, or scripts/dev.py bench)."
)


def installed() -> bool:
    """Return whether `implicit` is there."""
    return importlib.util.find_spec("implicit") is not None


class IAls(ClosedForm):
    """Weighted least squares, c_ui = alpha on observed cells and 1 elsewhere, one thread."""

    def __init__(
        self,
        *,
        factors: int = 256,
        reg: float = 30.0,
        alpha: float = 40.0,
        epochs: int = 15,
        seed: int = 0,
    ) -> None:
        self.factors, self.reg, self.alpha = factors, reg, alpha
        self.epochs, self.seed = epochs, seed

    def _solve(self, R: csr_matrix) -> None:  # noqa: N803 - the letter of the base class
        from implicit.cpu.als import (  # noqa: PLC0415 - only where bench.lock is installed
            AlternatingLeastSquares,
        )

        model = AlternatingLeastSquares(
            factors=self.factors,
            regularization=self.reg,
            alpha=self.alpha,
            iterations=self.epochs,
            num_threads=1,
            random_state=self.seed,
        )
        model.fit(R.astype("float32"), show_progress=False)
        self.model = model

    def score_block(self, users: Ints) -> Floats:
        """Score by the factors of the fit: (b,) -> (b, I)."""
        scores: Floats = self.model.user_factors[users] @ self.model.item_factors.T
        return scores

    def score_rows(self, rows: csr_matrix) -> Floats:
        """Fold each row in, then score all items: (b, I) -> (b, I)."""
        folded = self.model.recalculate_user(range(rows.shape[0]), rows.astype("float32"))
        scores: Floats = folded @ self.model.item_factors.T
        return scores
