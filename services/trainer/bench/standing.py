"""How one score stands against a truth: areas with their errors, and what a removal costs."""

import numpy as np
import numpy.typing as npt

from services.recsys.data import Bools
from services.recsys.metrics import auc, average_ranks
from services.recsys.suspicion import Scores


def area(high: npt.ArrayLike, truth: Bools) -> tuple[float, float]:
    """Return the AUC of `high` for the truth and its standard error.

    The error is DeLong's (1988): var(V10)/m + var(V01)/n, the placements of each side in the other.
    """
    values = np.asarray(high, dtype=np.float64)
    true, false = values[truth], values[~truth]
    ranks = average_ranks(values)
    over = (ranks[truth] - average_ranks(true)) / len(false)  # share of the false below each true
    under = 1 - (ranks[~truth] - average_ranks(false)) / len(true)
    error = np.sqrt(_spread(over) / len(true) + _spread(under) / len(false))
    return auc(values, truth), float(error)


def share(part: Bools) -> tuple[float, float]:
    """Return a share and its binomial standard error; (0, 0) of nothing."""
    if not len(part):
        return 0.0, 0.0
    p = float(part.mean())
    return p, float(np.sqrt(p * (1 - p) / len(part)))


def kept(score: Scores, fake: Bools, among: Bools, *, removed: float = 0.5) -> float:
    """Return the share of the edges `among` that stay when `removed` of the fakes are gone.

    Edges go lowest score first; of the edges that tie at the threshold the same share goes on
    either side, as if they were drawn by chance.
    """
    threshold = np.quantile(score[fake], removed, method="inverted_cdf")
    below, tied = (score[fake] < threshold).mean(), (score[fake] == threshold).mean()
    of_tied = (removed - below) / tied
    gone = (score[among] < threshold).mean() + of_tied * (score[among] == threshold).mean()
    return float(1 - gone)


def _spread(values: Scores) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0
