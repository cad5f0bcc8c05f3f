"""A model's lists: each user's best unseen items, the first of them with a reason."""

from collections.abc import Iterator, Sequence

import numpy as np

from services.recsys.data import Embeddings, Floats, Interactions, Ints
from services.recsys.topk import NO_ITEM, blocks, inner_product, top_k_lists
from services.shared.canonical import Json
from services.shared.toplists import Entry

EXPLAINED = 20
"""Ranks that get a reason: the nearest liked item."""

BLOCK = 256

Row = tuple[str, list[Entry]]


def rows(
    model: Embeddings,
    seen: Interactions,
    *,
    user_ids: Sequence[str],
    item_ids: Sequence[str],
    length: int,
) -> Iterator[Row]:
    """Yield every user's list, best first; memory is O(BLOCK * items)."""
    scores, unit = inner_product(model), _unit(model)
    starts = seen.indptr()
    for users in blocks(np.arange(seen.n_users), BLOCK):
        items, values = top_k_lists(scores, users, seen=seen, k=length, block=BLOCK)
        for user, best, score in zip(users.tolist(), items, values, strict=True):
            best = best[best != NO_ITEM]  # noqa: PLW2901 - shorter than asked for
            liked = seen.items[starts[user] : starts[user + 1]]
            because = nearest(unit, best[:EXPLAINED], liked)
            yield user_ids[user], _entries(best, score, because, item_ids)


def popular(seen: Interactions, *, item_ids: Sequence[str], length: int) -> list[Entry]:
    """Return the items that most people have, with the share of people as their score."""
    counts = seen.item_degrees()
    best = np.argsort(-counts, kind="stable")[:length]
    return [(item_ids[item], counts[item] / seen.n_users, ()) for item in best.tolist()]


def nearest(unit: Floats, items: Ints, liked: Ints) -> Ints:
    """Return for each item the liked item of the highest cosine, the lower index on a tie."""
    if not len(liked):
        return np.full(len(items), NO_ITEM, dtype=np.int64)
    closest: Ints = liked[np.argmax(unit[items] @ unit[liked].T, axis=1)]
    return closest


def _entries(best: Ints, scores: Floats, because: Ints, item_ids: Sequence[str]) -> list[Entry]:
    reasons: list[Sequence[Json]] = [_reason(item, item_ids) for item in because.tolist()]
    reasons += [()] * (len(best) - len(reasons))
    return [
        (item_ids[item], score, why)
        for item, score, why in zip(best.tolist(), scores.tolist(), reasons, strict=False)
    ]


def _reason(item: int, item_ids: Sequence[str]) -> Sequence[Json]:
    if item == NO_ITEM:
        return ()
    reason: dict[str, Json] = {"code": "BECAUSE_YOU_LIKED", "item_id": item_ids[item]}
    return [reason]


def _unit(model: Embeddings) -> Floats:
    items = model.items.numpy()
    norms = np.linalg.norm(items, axis=1, keepdims=True)
    unit: Floats = (items / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit
