"""The weights of a blend, chosen on validation: a search over what each part would show.

A shelf holds, for some users, every item that any part ranks high, with all parts' scores of it:
O(users * shelf * parts) numbers, made a block of users at a time. On it one setting of the weights
is judged in milliseconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.recsys.blend import Blend, Part, Scale, Scorer, scaled
from services.recsys.data import Interactions, Split, check_sizes
from services.recsys.evaluate import evaluate
from services.recsys.topk import NO_ITEM, Ints, ScoreBlock, blocks, cells, masked_scores, top_k

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

STEPS = (0.0, 0.5, 0.7, 0.85, 1.2, 1.4, 2.0)
"""What a weight is multiplied by when it is tried; 0 leaves its part out."""

NEWCOMER = 0.1
"""A part that was left out is tried again at this share of the heaviest."""

MIN_GAIN = 5e-5
"""A step must bring so much recall: less than one hit in a thousand users' lists is chance."""


@dataclass(frozen=True, eq=False)
class Shelf:
    """Every part's scores of the items that may reach a list; n users, at most c items each."""

    scores: Floats  # (n, c, parts), on the blend's scale
    there: Bools  # (n, c) False where the place is empty
    wanted: Bools  # (n, c) whether the item is one of the user's targets
    targets: Ints  # (n,) |T_u|

    def recall(self, weights: npt.ArrayLike, *, k: int = 20) -> float:
        """Return the mean Recall@k of the blend with these weights."""
        blended = self.scores @ np.asarray(weights, dtype=np.float32)
        blended[~self.there] = -np.inf
        k = min(k, blended.shape[1])
        best = np.argpartition(-blended, k - 1, axis=1)[:, :k]
        hits = np.take_along_axis(self.wanted, best, axis=1).sum(axis=1)
        return float((hits / self.targets).mean())

    def spread(self) -> Floats:
        """Return the standard deviation of each part's scores: (parts,), 1 where they are one."""
        deviations: Floats = self.scores[self.there].std(axis=0)
        return np.where(deviations > 0, deviations, 1)


class Judge:
    """Validation Recall@20 over evenly spaced users; train items are hidden.

    Raises ValueError for a split without training or validation, and where validation is of other
    users or items than train, or holds pairs of it.
    """

    def __init__(self, split: Split, most: int) -> None:
        _check(split)
        everyone = np.unique(split.val.users)
        self.users: Ints = everyone[:: -(-len(everyone) // most)]
        self.mask, self.val = split.train, split.val
        self._target = split.val.where(np.isin(split.val.users, self.users))

    def __call__(self, score_block: ScoreBlock) -> float:
        """Return the figure."""
        judged = evaluate(score_block, self._target, mask=self.mask, ks=(20,))
        return judged.means()["recall@20"]


def _check(split: Split) -> None:
    """Raise ValueError for what no validation can judge; test is not looked at."""
    train, val = split.train, split.val
    if not len(train):
        raise ValueError("train is empty: nothing can be learned")
    if not len(val):
        raise ValueError("validation is empty: nothing can choose the weights")
    check_sizes(train, vectors={}, graphs={"validation": val})
    known = np.flatnonzero(train.contains(users=val.users, items=val.items))
    if len(known):
        first = (int(val.users[known[0]]), int(val.items[known[0]]))
        raise ValueError(
            f"validation holds {len(known)} pairs of train, {first} the first: "
            "what was trained on cannot choose"
        )


def shelf(
    models: Sequence[Scorer],
    target: Interactions,
    *,
    mask: Interactions,
    scale: Scale,
    users: Ints,
    depth: int = 60,
    block: int = 256,
) -> Shelf:
    """Score the `depth` best items of every model with every model.

    `users` must all have a target; what they have in `mask` never reaches the shelf.
    """
    hidden, wanted = mask.csr(), target.csr()
    found: list[tuple[Floats, Bools, Bools]] = []
    for some in blocks(users, block):
        scores = [scaled(model.score_block(some), scale) for model in models]
        best = [
            top_k(masked_scores(lambda _, one=one: one, some, hidden), depth)[0]  # type: ignore[misc] # bound now
            for one in scores
        ]
        items = np.sort(np.hstack(best), axis=1)
        there = items != NO_ITEM
        there[:, 1:] &= items[:, 1:] != items[:, :-1]
        liked = np.zeros((len(some), target.n_items), dtype=np.bool_)
        liked[cells(wanted, some)] = True
        at = np.where(there, items, 0)
        kept = [np.take_along_axis(one, at, axis=1) for one in scores]
        found.append((np.stack(kept, axis=-1), there, np.take_along_axis(liked, at, 1) & there))
    parts = [np.concatenate(column) for column in zip(*found, strict=True)]
    return Shelf(parts[0], parts[1], parts[2], np.diff(wanted.indptr)[users].astype(np.int64))


def search(shelf: Shelf, starts: Sequence[npt.ArrayLike], *, passes: int = 6) -> tuple[float, ...]:
    """Climb one weight at a time from each start, the best end wins; the heaviest weighs 1."""
    ends = [_climb(shelf, np.asarray(start, dtype=np.float64), passes) for start in starts]
    weights, _ = max(ends, key=lambda end: end[1])
    return tuple(float(weight) for weight in np.round(weights / weights.max(), 4))


def _climb(
    shelf: Shelf, weights: npt.NDArray[np.float64], passes: int
) -> tuple[npt.NDArray[np.float64], float]:
    """Step while it gains; a part without which the blend is no worse is left out."""
    value = shelf.recall(weights)
    for _ in range(passes):
        before = weights
        for place in range(len(weights)):
            for tried in _steps(weights, place):
                gained = shelf.recall(tried)
                freed = weights[place] > 0 and tried[place] == 0
                if gained > value + MIN_GAIN or (freed and gained >= value):
                    weights, value = tried, gained
        if np.array_equal(weights, before):
            break
    return weights, value


def _steps(weights: npt.NDArray[np.float64], place: int) -> list[npt.NDArray[np.float64]]:
    """Return the settings that differ in one weight; never all zero."""
    base = weights[place] or NEWCOMER * weights.max()
    tried = [np.where(np.arange(len(weights)) == place, base * step, weights) for step in STEPS]
    return [one for one in tried if one.any()]


def weigh(
    parts: Mapping[str, Scorer], judge: Judge, scales: Iterable[Scale]
) -> tuple[Blend, float]:
    """Return the blend with the best validation Recall@20 and that figure.

    The search starts from equal weights and from every part alone, so that no part is worse off
    than by itself on the judged users.
    """
    best: tuple[Blend, float] | None = None
    for scale in scales:
        shown = shelf(
            list(parts.values()), judge.val, mask=judge.mask, scale=scale, users=judge.users
        )
        evened = 1 / shown.spread()
        weights = search(shown, [evened, *np.diag(evened)])
        value = shown.recall(weights)
        if best is None or value > best[1]:
            named = zip(parts.items(), weights, strict=True)
            best = Blend([Part(name, model, w) for (name, model), w in named], scale), value
    if best is None:
        raise ValueError("a blend needs a scale")
    return best
