"""Which pairs the LLM is asked about (LLMHNI, arXiv 2511.07295, Eq. 12).

Per user, n1 non-edges that the pretrained model scores high (perhaps missing edges) and n2 edges
that score low (perhaps noise), under a hard cap on their number.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.recsys.data import Bools, Interactions, Ints
from services.recsys.edge_scores import EdgeScores
from services.recsys.ranges import COUNT, NATURAL, POSITIVE, SHARE, check
from services.recsys.suspicion import Scores, pair_scores
from services.recsys.topk import NO_ITEM, ScoreBlock, blocks, masked_scores, top_k


@dataclass(frozen=True, kw_only=True)
class CandidateConfig:
    """The paper names n1 and n2 without values: these are ours."""

    n1: int = 10  # non-edges per user
    n2: int = 2  # edges per user
    edge_scores: EdgeScores = "plausibility"  # for `score_edges`; "in_sample" is the paper's
    history: int = 5  # K of the item view
    order: Literal["most_suspicious", "sampled"] = "most_suspicious"
    temperature: float = 1.0  # of the softmax when sampled; the paper's is 1
    budget: int | None = None  # pairs in all
    positive_share: float = 0.8  # of the budget that edges may claim first
    block: int = 256

    def __post_init__(self) -> None:
        """Raise ValueError for a field outside its range."""
        check(
            self,
            **dict.fromkeys(("n1", "n2", "history", "budget"), NATURAL),
            temperature=POSITIVE,
            positive_share=SHARE,
            block=COUNT,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """Pairs in order of priority: edges, the most suspicious first, then non-edges alike."""

    users: Ints  # (C,)
    items: Ints  # (C,)
    is_edge: Bools  # (C,)
    scores: Scores  # (C,) edges: their given score; non-edges: the pretrained model's
    history: Ints  # (C, K) the user's best liked items without the pair's own, padded with -1

    def __len__(self) -> int:
        return len(self.users)


def choose_candidates(
    train: Interactions,
    score_block: ScoreBlock,
    *,
    edge_scores: Scores,
    config: CandidateConfig,
    rng: np.random.Generator,
    decided: Interactions | None = None,
) -> Candidates:
    """Choose the pairs to be rated.

    Edges of users with a single one are left out: that edge stays whatever is said of it. With a
    budget b, edges claim up to `positive_share` of b, non-edges the rest, and what one side
    leaves the other may use. Edges go by score, low first; many tie at 0 where nobody supports
    them, and of those the ones that fall furthest short of their user's mean score go first.
    Non-edges go by score, high first.

    Args:
        train: the observed graph.
        score_block: the pretrained model's scores.
        edge_scores: (E,) one score per edge of `train`, low is suspicious, as `score_edges` gives
            them by `config.edge_scores`; here they are taken as they come.
        config: numbers and order.
        rng: draws the softmax samples; unused under "most_suspicious".
        decided: pairs that a person has spoken of: nobody is asked about them, and the next in
            line takes their place.
    """
    edges = _low_edges(train, edge_scores, config, rng, decided)
    taken = train if decided is None else train.union(decided)
    non_users, non_items, non_scores = _high_non_edges(train, taken, score_block, config, rng)
    n_edges, n_non = _shares(len(edges), len(non_users), config)
    edges = edges[:n_edges]
    best = np.argsort(-non_scores, kind="stable")[:n_non]
    users = np.concatenate([train.users[edges], non_users[best]])
    items = np.concatenate([train.items[edges], non_items[best]])
    return Candidates(
        users=users,
        items=items,
        is_edge=np.arange(len(users)) < n_edges,
        scores=np.concatenate([edge_scores[edges], non_scores[best]]),
        history=liked(train, score_block, users=users, items=items, config=config),
    )


def _low_edges(
    train: Interactions,
    scores: Scores,
    config: CandidateConfig,
    rng: np.random.Generator,
    decided: Interactions | None,
) -> Ints:
    """Return positions of n2 open edges per user, lowest or drawn by softmax(-score)."""
    key = scores
    if config.order == "sampled":  # the bottom of score - Gumbel noise is a draw without return
        key = scores / config.temperature - rng.gumbel(size=len(scores))
    closed = np.zeros(len(train), dtype=np.bool_)
    if decided is not None:
        closed = decided.contains(users=train.users, items=train.items)
    order = np.lexsort((train.items, key, closed, train.users))
    place = np.arange(len(train)) - train.indptr()[train.users]  # 0 for each user's lowest
    degrees = train.user_degrees()
    order = order[(place < config.n2) & (degrees > 1)[train.users]]
    order = order[~closed[order]]
    means = np.bincount(train.users, scores, train.n_users) / np.maximum(degrees, 1)
    shortfall = means[train.users[order]] - scores[order]
    return order[np.lexsort((order, -shortfall, scores[order]))]


def _high_non_edges(
    train: Interactions,
    taken: Interactions,
    score_block: ScoreBlock,
    config: CandidateConfig,
    rng: np.random.Generator,
) -> tuple[Ints, Ints, Scores]:
    """Return users, items, scores of n1 pairs outside `taken`, best or drawn by softmax(score)."""
    rows = taken.csr()
    found: list[tuple[Ints, Ints, Scores]] = []
    active = np.flatnonzero(train.user_degrees()) if config.n1 else np.empty(0, dtype=np.int64)
    for users in blocks(active, config.block):
        scores = masked_scores(score_block, users, rows).astype(np.float64)
        keys = scores
        if config.order == "sampled":  # the top of score + Gumbel noise is a draw without return
            keys = scores / config.temperature + rng.gumbel(size=scores.shape)
        items, _ = top_k(keys, config.n1)
        at, column = np.nonzero(items != NO_ITEM)
        items = items[at, column]
        found.append((users[at], items, scores[at, items]))
    if not found:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
    users, items, values = (np.concatenate(side) for side in zip(*found, strict=True))
    return users, items, values


def _shares(n_edges: int, n_non: int, config: CandidateConfig) -> tuple[int, int]:
    """Divide the budget: edges first up to their share, then non-edges, then edges again."""
    if config.budget is None:
        return n_edges, n_non
    first = min(n_edges, round(config.positive_share * config.budget))
    taken = min(n_non, config.budget - first)
    return min(n_edges, config.budget - taken), taken


def liked(
    train: Interactions,
    score_block: ScoreBlock,
    *,
    users: Ints,
    items: Ints,
    config: CandidateConfig,
) -> Ints:
    """Return each pair's K best liked items by the model, the pair's own left out: (C, K).

    The paper intersects the liked items with the top K of *all* items, which may be empty; here
    the liked ones are ranked among themselves.
    """
    own = pair_scores(score_block, users=train.users, items=train.items, block=config.block)
    ranked = train.items[np.lexsort((train.items, -own, train.users))]
    starts, ends = train.indptr()[users], train.indptr()[users + 1]
    at = starts[:, None] + np.arange(config.history + 1)  # one more, in case one is the pair's own
    best = np.where(at < ends[:, None], ranked[np.minimum(at, len(ranked) - 1)], NO_ITEM)
    best = np.where(best == items[:, None], NO_ITEM, best)
    order = np.argsort(best == NO_ITEM, axis=1, kind="stable")  # the gaps go last
    return np.take_along_axis(best, order, axis=1)[:, : config.history]
