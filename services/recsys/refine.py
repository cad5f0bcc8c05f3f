"""From verdicts to a refined graph (LLMHNI, arXiv 2511.07295, Eq. 15-17), within limits.

A verdict says what the ratings mean; an action says what was done about it. The paper keeps an
edge on two Highs only; real ratings then cost most true edges, so "conservative" is the default.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.recsys.data import Bools, Interactions, Ints
from services.recsys.ranges import NATURAL, SHARE, check
from services.recsys.verdicts import RatedPairs, Words, judge, soft_weights

ACTIONS = ("keep", "drop", "add", "none")
LAST_EDGE, SHARE_CAP, ITEM_CAP = "last_edge", "share_cap", "item_cap"
HELD_OUT = "held_out"
"""Why a person's addition waits: the pair is in the log, and this run judges by it."""


@dataclass(frozen=True, kw_only=True)
class RefineConfig:
    """The rule and its limits."""

    rule: Literal["conservative", "paper", "soft"] = "conservative"
    max_dropped: float = 0.1  # share of the edges that ratings may drop
    max_added_per_item: int = 10  # a hijacked profile must not buy itself an audience
    added_weight: float = 0.5  # of an edge added on ratings; the paper's rule adds at 1
    soft_floor: float = 0.1  # smallest weight under "soft"

    def __post_init__(self) -> None:
        """Raise ValueError for a field outside its range."""
        shares = ("max_dropped", "soft_floor")
        numbers = ("max_added_per_item", "added_weight")
        check(self, **dict.fromkeys(shares, SHARE), **dict.fromkeys(numbers, NATURAL))


@dataclass(frozen=True, kw_only=True, eq=False)
class Refinement:
    """E' and, per pair, the verdict and what came of it."""

    interactions: Interactions  # E' with weights
    hard: Interactions  # C_H: edges and non-edges called hard, without HELD_OUT
    is_edge: Bools  # (C,)
    verdicts: Words  # (C,) hard, noise, clean or unsure
    decided_by: Words  # (C,) "person", "llm", or "none": without ratings
    actions: Words  # (C,) of ACTIONS
    reasons: Words  # (C,) why a drop or an addition was not done: a cap, HELD_OUT, else ""

    def wanted_drops(self) -> Bools:
        """Return which edges verdict and rule would drop, were there no limits: (C,)."""
        limits = [LAST_EDGE, SHARE_CAP]
        wanted: Bools = np.isin(self.reasons, limits) | (self.actions == "drop")
        return wanted


def refine(
    train: Interactions,
    pairs: RatedPairs,
    *,
    config: RefineConfig,
    held_out: Interactions | None = None,
) -> Refinement:
    """Apply ratings and people's words to the graph.

    A person's word wins and is outside the share and item caps. A user keeps at least one
    observed edge whoever speaks. Drops go most certain first: people's, then by the sum of the
    labels, then by score, then in the given order; additions: people's, then by score.

    `held_out` are the pairs of the log that judge this run. A person has seen the log: their word
    must not carry such a pair into training, neither as an edge nor, by C_H, as no negative.
    """
    at = train.locate(users=pairs.users, items=pairs.items)
    is_edge = at >= 0
    verdicts, decided_by = judge(pairs, is_edge=is_edge)
    drop = is_edge & _unwanted(pairs, verdicts, config)
    add = ~is_edge & (verdicts == "hard")
    reasons = np.full(len(at), "", dtype="<U9")
    _limit_drops(train, pairs, drop, config=config, reasons=reasons)
    _limit_additions(pairs, add, config=config, reasons=reasons)
    if held_out is not None:
        told = add & ~pairs.rated() & held_out.contains(users=pairs.users, items=pairs.items)
        reasons[told] = HELD_OUT
    actions = np.select([reasons != "", drop, add], ["", "drop", "add"], "")
    actions = np.where(actions == "", np.where(is_edge, "keep", "none"), actions)
    return Refinement(
        interactions=_rebuild(train, pairs, at, actions, config),
        hard=_pairs(train, pairs, (verdicts == "hard") & (reasons != HELD_OUT)),
        is_edge=is_edge,
        verdicts=verdicts,
        decided_by=decided_by,
        actions=actions,
        reasons=reasons,
    )


def _unwanted(pairs: RatedPairs, verdicts: Words, config: RefineConfig) -> Bools:
    """Return which pairs the rule would drop, were they edges and were there no caps."""
    noise: Bools = verdicts == "noise"
    if config.rule == "paper":  # C_N = C without C_H
        hard: Bools = verdicts == "hard"
        return noise | (pairs.rated() & ~hard)
    if config.rule == "soft":  # ratings lower weights instead
        return noise & ~pairs.rated()
    return noise


def most_drops(train: Interactions, config: RefineConfig) -> int:
    """Return how many edges ratings may drop; people's drops are not counted."""
    return int(round(config.max_dropped * len(train), 9))  # .29 of 100 is 29, not 28.999


def _limit_drops(
    train: Interactions, pairs: RatedPairs, drop: Bools, *, config: RefineConfig, reasons: Words
) -> None:
    """Write why some wanted drops are not done."""
    total = pairs.user_view.astype(np.int64) + pairs.item_view
    order = np.lexsort((pairs.scores, total, pairs.rated()))  # stable: ties as given
    order = order[drop[order]]
    last = _turns(pairs.users[order]) >= train.user_degrees()[pairs.users[order]] - 1
    reasons[order[last]] = LAST_EDGE
    rated = order[~last & pairs.rated()[order]]
    reasons[rated[most_drops(train, config) :]] = SHARE_CAP


def _limit_additions(
    pairs: RatedPairs, add: Bools, *, config: RefineConfig, reasons: Words
) -> None:
    """Write why some wanted additions are not done."""
    order = np.argsort(-pairs.scores, kind="stable")
    order = order[(add & pairs.rated())[order]]
    reasons[order[_turns(pairs.items[order]) >= config.max_added_per_item]] = ITEM_CAP


def _turns(groups: Ints) -> Ints:
    """Return how many earlier entries have the same value: 0 for each group's first."""
    order = np.argsort(groups, kind="stable")
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    turns = np.empty(len(groups), dtype=np.int64)
    turns[order] = np.arange(len(groups)) - np.repeat(starts, sizes)
    return turns


def _rebuild(
    train: Interactions, pairs: RatedPairs, at: Ints, actions: Words, config: RefineConfig
) -> Interactions:
    """Return E' = E without the dropped, with the added, every edge with its weight."""
    kept = np.ones(len(train), dtype=np.bool_)
    kept[at[actions == "drop"]] = False
    values = train.values().copy()
    if config.rule == "soft":
        judged = pairs.rated() & (at >= 0)
        values[at[judged]] *= soft_weights(pairs, floor=config.soft_floor)[judged]
    add = actions == "add"
    by_ratings = 1.0 if config.rule == "paper" else config.added_weight
    return Interactions.build(
        users=np.concatenate([train.users[kept], pairs.users[add]]),
        items=np.concatenate([train.items[kept], pairs.items[add]]),
        n_users=train.n_users,
        n_items=train.n_items,
        weights=np.concatenate([values[kept], np.where(pairs.rated()[add], by_ratings, 1.0)]),
    )


def _pairs(train: Interactions, pairs: RatedPairs, called: Bools) -> Interactions:
    return Interactions.build(
        users=pairs.users[called],
        items=pairs.items[called],
        n_users=train.n_users,
        n_items=train.n_items,
    )
