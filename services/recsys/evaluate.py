"""Full ranking over all items, per user, and the bootstrap that compares two models.

The protocol is RLMRec's: train on `train`, rank every item, hide the `train` items only (`val`
items stay and count as misses), average over users with a test item. The second protocol trains
on train + val and hides both; its figures are higher and never stand beside the first's unnamed.
"""

from dataclasses import dataclass

import numpy as np

from services.recsys.data import Interactions, Split
from services.recsys.metrics import Bools, Floats, Ints, ndcg_at, recall_at
from services.recsys.topk import ScoreBlock, blocks, cells, masked_scores, top_k

KS = (5, 10, 20)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Figures of every user who has a target; users ascending."""

    users: Ints  # (n,)
    ks: tuple[int, ...]
    recall: Floats  # (n, len(ks))
    ndcg: Floats  # (n, len(ks))

    def means(self) -> dict[str, float]:
        """Return the means over users as {"recall@5": ..., "ndcg@5": ..., ...}."""
        figures = {}
        for column, k in enumerate(self.ks):
            figures[f"recall@{k}"] = float(self.recall[:, column].mean())
            figures[f"ndcg@{k}"] = float(self.ndcg[:, column].mean())
        return figures

    def of(self, name: str) -> Floats:
        """Return one figure of every user, by its name in `means`."""
        kind, k = name.split("@")
        return {"recall": self.recall, "ndcg": self.ndcg}[kind][:, self.ks.index(int(k))]


def evaluate(
    score_block: ScoreBlock,
    target: Interactions,
    *,
    mask: Interactions,
    ks: tuple[int, ...] = KS,
    block: int = 256,
) -> Evaluation:
    """Rank all items but the masked ones for every user of `target`.

    Memory is O(block * items). Ties go to the lower item index, so that a constant scorer has
    one reproducible figure.

    Raises:
        ValueError: `target` is empty, or a score is not a number.
    """
    users = np.unique(target.users)
    if not len(users):
        raise ValueError("no user has a target item")
    wanted, hidden = target.csr(), mask.csr()
    recall, ndcg = [], []
    for some in blocks(users, block):
        ranked, _ = top_k(masked_scores(score_block, some, hidden), max(ks))
        rows, items = cells(wanted, some)
        hits, counts = _hits(ranked, rows, items, target.n_items)
        recall.append(np.column_stack([recall_at(hits, counts, k) for k in ks]))
        ndcg.append(np.column_stack([ndcg_at(hits, counts, k) for k in ks]))
    return Evaluation(users=users, ks=ks, recall=np.vstack(recall), ndcg=np.vstack(ndcg))


def _hits(ranked: Ints, rows: Ints, items: Ints, n_items: int) -> tuple[Bools, Ints]:
    wanted = np.zeros((len(ranked), n_items + 1), dtype=bool)  # the last column is "no item"
    wanted[rows, items] = True
    return np.take_along_axis(wanted, ranked % (n_items + 1), axis=1), wanted.sum(axis=1)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What to train on, what to hide when ranking, what counts as a hit."""

    name: str
    fit: Interactions
    mask: Interactions
    target: Interactions


def protocols(split: Split) -> tuple[Protocol, Protocol]:
    """Return the two test protocols: "train" and "train+val"."""
    both = split.train.union(split.val)
    return (
        Protocol(name="train", fit=split.train, mask=split.train, target=split.test),
        Protocol(name="train+val", fit=both, mask=both, target=split.test),
    )


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean difference with its bootstrap interval."""

    difference: float
    low: float
    high: float

    @property
    def decided(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def paired_bootstrap(
    a: Floats, b: Floats, *, seed: int, n: int = 1000, level: float = 0.95
) -> Interval:
    """Return mean(a - b) with its percentile interval, resampling users (Efron 1979).

    Args:
        a: (n_users,) a figure of each user under one model.
        b: (n_users,) the same users' figure under the other.
        seed: seed of the resampling.
        n: number of resamples.
        level: mass of the interval.
    """
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ValueError(f"paired figures have shapes {a.shape} and {b.shape}")
    rng, gaps = np.random.default_rng(seed), a - b
    means = [float(gaps[rng.integers(len(gaps), size=len(gaps))].mean()) for _ in range(n)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(difference=float(gaps.mean()), low=float(low), high=float(high))
