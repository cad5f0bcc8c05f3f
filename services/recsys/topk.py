"""The best K items of each user, block by block, ties broken by the lower item index.

Scoring happens for a block of users at a time, so that memory is O(block * items) and never
users * items. A shorter list is padded with item -1 and score -inf.
"""

from collections.abc import Callable, Iterator
from numbers import Integral

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from services.recsys.arrays import check_asked
from services.recsys.data import Embeddings, Interactions

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]
ScoreBlock = Callable[[Ints], Floats]
"""Maps (b,) user indices to their (b, I) scores over all items."""

NO_ITEM = -1

_STRIPE = 64
"""Items a stripe; with fewer than so many for each that is asked for, sorting is as fast."""

_CROWD = 8
"""Times as many scores above the bound as are asked for: more is the partition's work."""

_NO_NUMBER = "a score is not a number"


def top_k(scores: Floats, k: int) -> tuple[Ints, Floats]:
    """Return the (b, k) best items and their scores of a (b, I) block.

    Higher scores come first; equal scores come in the order of their item index. Items at -inf
    are never returned: they are the excluded ones.

    Raises:
        ValueError: k is no whole number from 1, or a score is not a number, which has no place in
            an order.
    """
    _some("k", k)
    width = min(k, scores.shape[1])
    items = _best(scores, width)
    values = np.take_along_axis(scores, items, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")  # stable: the lower index stays first
    values = np.take_along_axis(values, order, axis=1)
    items = np.where(np.isneginf(values), NO_ITEM, np.take_along_axis(items, order, axis=1))
    pad = ((0, 0), (0, k - width))
    return (
        np.pad(items, pad, constant_values=NO_ITEM),
        np.pad(values, pad, constant_values=-np.inf),
    )


def _best(scores: Floats, width: int) -> Ints:
    """Return the `width` best items of each row; those of one score in ascending order."""
    if scores.shape[1] >= _STRIPE * width > 0:
        found = _above_the_stripes(scores, width)
        if found is not None:
            return found
    if np.isnan(scores).any():
        raise ValueError(_NO_NUMBER)
    kth = np.partition(scores, -width, axis=1)[:, [-width]]  # (b, 1)
    above, tied = scores > kth, scores == kth
    room = width - above.sum(axis=1, keepdims=True)
    # np.partition picks any of the tied: take the lowest indices among them instead
    chosen = above | (tied & (np.cumsum(tied, axis=1, dtype=np.int32) <= room))
    return np.nonzero(chosen)[1].astype(np.int64).reshape(-1, width)


def _above_the_stripes(scores: Floats, width: int) -> Ints | None:
    """Return `_best`, found by a bound; None where too many scores tie with it.

    The items are dealt out to stripes. The `width`-th largest of the stripes' maxima is no more
    than the `width`-th largest score, and few scores are above it: two passes in place of a
    partition.
    """
    b, n = scores.shape
    n_stripes = n // _STRIPE
    dealt = scores[:, : n_stripes * _STRIPE].reshape(b, _STRIPE, n_stripes)
    highest = dealt.max(axis=1)  # (b, n_stripes), and not a number where one of them is not
    if np.isnan(highest).any() or np.isnan(scores[:, n_stripes * _STRIPE :]).any():
        raise ValueError(_NO_NUMBER)
    bound = np.partition(highest, -width, axis=1)[:, -width]
    hits = scores >= bound[:, None]
    if np.count_nonzero(hits) > _CROWD * width * b:
        return None
    rows, items = np.divmod(np.flatnonzero(hits), n)
    order = np.lexsort((items, -scores[rows, items], rows))
    rows, items = rows[order], items[order]
    starts = np.searchsorted(rows, np.arange(b))
    best: Ints = items[starts[:, None] + np.arange(width)]
    return best


def _some(name: str, count: int) -> None:
    """Raise ValueError for what is no number of things that a list or a block can hold."""
    whole = isinstance(count, Integral) and not isinstance(count, bool)
    if not whole:
        raise ValueError(f"{name} must be a whole number, 1 or more, not {count!r}")
    if count < 1:
        raise ValueError(f"{name} must be at least 1, not {count}: of nothing there is no list")


def cells(rows: csr_matrix, users: Ints) -> tuple[Ints, Ints]:
    """Return (row within the block, item) of every interaction of a block of users."""
    block = rows[users]
    return np.repeat(np.arange(len(users)), np.diff(block.indptr)), block.indices.astype(np.int64)


def masked_scores(score_block: ScoreBlock, users: Ints, seen: csr_matrix) -> Floats:
    """Return a block's (b, I) scores with the seen items at -inf; the scorer's array stays."""
    scores = np.array(score_block(users))
    if scores.shape != (len(users), seen.shape[1]):
        raise ValueError(
            f"scores of shape {scores.shape}: {len(users)} users were asked about, "
            f"and what is hidden has {seen.shape[1]} items"
        )
    scores[cells(seen, users)] = -np.inf
    return scores


def blocks(users: Ints, size: int) -> Iterator[Ints]:
    """Cut the users into blocks of at most `size`."""
    return (users[start : start + size] for start in range(0, len(users), size))


def top_k_lists(
    score_block: ScoreBlock, users: Ints, *, seen: Interactions, k: int, block: int = 256
) -> tuple[Ints, Floats]:
    """Return (n, k) items and scores for the given users, what they have seen left out.

    Raises ValueError where k or block is no whole number from 1, for users that `seen` does not
    have, for scores of other items than `seen`'s, and as `top_k` does.
    """
    _some("k", k)
    _some("block", block)
    users = np.asarray(users)
    check_asked(users, seen.n_users)
    rows = seen.csr()
    found = [top_k(masked_scores(score_block, b, rows), k) for b in blocks(users, block)]
    if not found:
        return np.empty((0, k), dtype=np.int64), np.empty((0, k), dtype=np.float32)
    items, values = zip(*found, strict=True)
    return np.concatenate(items), np.concatenate(values)


def inner_product(embeddings: Embeddings) -> ScoreBlock:
    """Score by the inner product of user and item vectors: the form a trained model serves."""
    users, items = (side.detach().cpu().numpy() for side in (embeddings.users, embeddings.items))
    return lambda block: users[block] @ items.T  # (b, d) @ (d, I)
