"""GF-CF: graph filtering, a linear filter plus an ideal low pass (Shen et al. 2021, Eq. 8-9)."""

from scipy.sparse import csr_matrix, diags_array

from services.recsys.closed_forms.base import ClosedForm, Floats, inverse_power
from services.recsys.spectrum import leading


class GfCf(ClosedForm):
    """score(r) = r R~'R~ + w r D_i^-1/2 V V' D_i^1/2.

    R~ = D_u^-1/2 R D_i^-1/2 and V holds its first k right singular vectors.
    """

    def __init__(self, *, k: int = 64, w: float = 0.3) -> None:
        self.k, self.w = k, w

    def _solve(self, R: csr_matrix) -> None:
        by_user = inverse_power(R.sum(axis=1), 0.5)
        self.shrink = inverse_power(R.sum(axis=0), 0.5)  # D_i^-1/2, (I,)
        self.grow = inverse_power(self.shrink, 1.0)  # D_i^1/2, (I,)
        normed = diags_array(by_user) @ R @ diags_array(self.shrink)
        self.linear = csr_matrix(normed.T @ normed)  # (I, I)
        self.V: Floats = leading(csr_matrix(normed), self.k)[2].T  # (I, k)

    def score_rows(self, rows: csr_matrix) -> Floats:
        """Filter each row: (b, I) -> (b, I)."""
        ideal = ((rows @ (self.shrink[:, None] * self.V)) @ self.V.T) * self.grow
        scores: Floats = (rows @ self.linear).toarray() + self.w * ideal
        return scores
