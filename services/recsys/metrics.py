"""Ranking metrics and the area under the curve: arrays in, numbers out."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def recall_at(hits: Bools, n_targets: Ints, k: int) -> Floats:
    """Return Recall@k = hits/|T_u| of each user.

    Args:
        hits: (b, K) whether the item at each rank is one of the user's targets, best rank first.
        n_targets: (b,) |T_u|, at least 1.
        k: length of the list, at most K.
    """
    _check(hits, n_targets, k)
    share: Floats = hits[:, :k].sum(axis=1) / n_targets
    return share


def ndcg_at(hits: Bools, n_targets: Ints, k: int) -> Floats:
    """Return NDCG@k of each user, the ideal list holding min(|T_u|, k) hits.

    Shapes as in `recall_at`. Gains are binary, the discount is 1/log2(rank + 1).
    """
    _check(hits, n_targets, k)
    discount = 1.0 / np.log2(np.arange(2, k + 2))  # (k,)
    ideal = np.cumsum(discount)[np.minimum(n_targets, k) - 1]  # (b,)
    gain: Floats = (hits[:, :k] @ discount) / ideal
    return gain


def auc(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the chance that a true label outscores a false one, ties counting half.

    Raises:
        ValueError: all labels are the same, so there is no pair to order.
    """
    truth = np.asarray(labels, dtype=bool)
    n_true, n_false = int(truth.sum()), int((~truth).sum())
    if not n_true or not n_false:
        raise ValueError("an AUC needs labels of both kinds")
    ranks = average_ranks(scores)  # midranks: a tie counts half
    wins = float(ranks[truth].sum()) - n_true * (n_true + 1) / 2
    return wins / (n_true * n_false)


def average_ranks(scores: npt.ArrayLike) -> Floats:
    """Return each score's rank from 1, lowest first; ties share their middle rank: (n,).

    As scipy.stats.rankdata, whose import alone takes longer than a small stage's work.
    """
    _, place, counts = np.unique(
        np.asarray(scores, dtype=np.float64), return_inverse=True, return_counts=True
    )
    middle: Floats = np.cumsum(counts) - (counts - 1) / 2
    return middle[place]


def precision_recall(flagged: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[float, float]:
    """Return (share of the flagged that is true, share of the true that is flagged).

    Precision over nothing flagged and recall over nothing true are both 0.
    """
    chosen, truth = np.asarray(flagged, dtype=bool), np.asarray(labels, dtype=bool)
    caught = int((chosen & truth).sum())
    return caught / max(int(chosen.sum()), 1), caught / max(int(truth.sum()), 1)


def _check(hits: Bools, n_targets: Ints, k: int) -> None:
    if not 1 <= k <= hits.shape[1]:
        raise ValueError(f"k = {k} does not fit lists of {hits.shape[1]} ranks")
    if (n_targets < 1).any():
        raise ValueError("a user without targets has no recall")
