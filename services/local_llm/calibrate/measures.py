"""AUC with its standard error, agreement, and the cuts that give labels as often as a rater did."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.local_llm.calibration import Cuts

Numbers = NDArray[np.float64]
LEVEL = {"Low": 0, "Mid": 1, "High": 2}


def auc(true: Numbers, false: Numbers) -> tuple[float, float]:
    """Return P(true > false), ties half, and its standard error (Hanley & McNeil 1982)."""
    wins = (true[:, None] > false).mean() + 0.5 * (true[:, None] == false).mean()
    area = float(wins)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = (
        area * (1 - area) + (len(true) - 1) * (q1 - area**2) + (len(false) - 1) * (q2 - area**2)
    )
    return area, math.sqrt(max(spread, 0.0) / (len(true) * len(false)))


def kappa(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> float:
    """Return Cohen's kappa with quadratic weights over the three levels."""
    table = np.zeros((3, 3))
    np.add.at(table, (ours, theirs), 1)
    cost = np.subtract.outer(np.arange(3), np.arange(3)) ** 2
    chance = np.outer(table.sum(1), table.sum(0)) / table.sum()
    return 1 - float((cost * table).sum() / (cost * chance).sum())


def levels(scores: Numbers, cuts: Cuts) -> NDArray[np.int64]:
    """Return 0, 1, 2 for Low, Mid, High, by the rule of `rater.label_of`."""
    return (scores >= cuts.low).astype(np.int64) + (scores >= cuts.high)


def matching_cuts(scores: Numbers, said: Sequence[str]) -> Cuts:
    """Return the cuts that give each label as often as it was said of the same pairs.

    Cuts that maximise kappa instead were tried: they shrink Mid to an eighth of the pairs and
    separate true from planted edges no better on the held-out half.
    """
    low, mid = (list(said).count(label) / len(said) for label in ("Low", "Mid"))
    edges = np.quantile(scores, (low, low + mid))
    first, second = (round(float(edge), 3) for edge in edges)
    return Cuts(low=first, high=second)


def shared_cuts(cuts: Cuts, *, here: Numbers, elsewhere: Numbers) -> Cuts:
    """Return the cuts halfway to those that part another shop's shuffled pairs alike.

    `here` and `elsewhere` are scores of shuffled pairs: of the shop with ratings, whose own mean is
    among the centres, and of a shop whose mean is not, as is true of every shop to come. There
    unrelated texts keep some likeness, and cuts from the rated shop alone would be too low.
    """
    moved = [
        (cut + float(np.quantile(elsewhere, (here < cut).mean()))) / 2
        for cut in (cuts.low, cuts.high)
    ]
    return Cuts(low=round(moved[0], 3), high=round(moved[1], 3))


def shares(found: NDArray[np.int64]) -> dict[str, float]:
    """Return the share of each label."""
    return {label: float((found == level).mean()) for label, level in LEVEL.items()}
