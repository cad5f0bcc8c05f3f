"""How well a suspicion finds planted noise: AUC, precision and recall, ties counted fairly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]


def auc(suspicion: Scores, noise: Flags) -> float:
    """Return P(a noise edge is more suspicious than a true one), ties as one half.

    Both arrays have shape (edges,). nan where one of the two kinds is absent.
    """
    positives, negatives = int(noise.sum()), int((~noise).sum())
    if not positives or not negatives:
        return float("nan")
    rank_sum = float(_mid_ranks(suspicion)[noise].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def expected_hits(suspicion: Scores, noise: Flags, flagged: int) -> float:
    """Return the noise among the `flagged` most suspicious edges, ties broken by chance."""
    if flagged <= 0:
        return 0.0
    bar = np.sort(suspicion)[::-1][min(flagged, len(suspicion)) - 1]
    above, level = suspicion > bar, suspicion == bar
    places = min(flagged, len(suspicion)) - int(above.sum())
    return float(noise[above].sum() + noise[level].mean() * places)


def _mid_ranks(values: Scores) -> Scores:
    """Return ranks from 1, equal values sharing the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)
