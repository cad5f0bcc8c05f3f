"""Edges weighed by how likely they are true: G' by doubt and ratings together (Eq. 15-17, softly).

A hard rule pays in full for every wrong drop; a weight pays in proportion. Ratings enter as
further evidence beside the score that chose the pairs, and what a label is worth is learned from
decoys that were rated, too. To be asked at all tells something, even of a rater who tosses coins:
the same fit learns from the decoys how far the score itself can be trusted among the asked edges.
What labels are worth is therefore read beside the same labels permuted (the benches' placebo).

Ratings only take away. A true edge that nothing around it supports teaches little, true as it is:
lifted to weight 1 on perfect ratings such edges cost more than the noise that the same ratings
removed (docs/log.md), so a good word leaves the weight where doubt alone put it.

All log odds here are of noise, as if half of all edges were noise: high is suspicious.
"""

from dataclasses import dataclass

import numpy as np

from services.recsys.arrays import check_log_odds
from services.recsys.data import Bools, Floats, Interactions, Ints
from services.recsys.decoys import Baited
from services.recsys.evidence import Columns
from services.recsys.plausibility import logistic
from services.recsys.ranges import NATURAL, SHARE, check
from services.recsys.suspicion import Scores
from services.recsys.verdicts import MID, MISSING, RatedPairs

_FEW = 50
"""Judged decoys, or other edges, below which nothing is learned of a judge."""


@dataclass(frozen=True, kw_only=True)
class PosteriorConfig:
    """What is expected before any evidence, and where an edge falls."""

    odds: float = 0.5  # noise edges expected per true one; 0 weighs every edge 1
    floor: float = 0.02  # below that weight an edge falls; a user's last never does

    def __post_init__(self) -> None:
        """Raise ValueError for a field outside its range."""
        check(self, odds=NATURAL, floor=SHARE)


def probability_true(log_odds: Scores, *, odds: float) -> Floats:
    """P(true) = 1 / (1 + odds * e^s): (E,) -> (E,)."""
    if not odds:
        return np.ones(len(log_odds), dtype=np.float32)
    against = np.clip(log_odds + np.log(odds), -500, 500)
    chance: Floats = (1 / (1 + np.exp(against))).astype(np.float32)
    return chance


def weighed(
    train: Interactions, log_odds: Scores, *, config: PosteriorConfig | None = None
) -> Interactions:
    """Return E' with weights w * P(true), w those of E; below the floor an edge is gone.

    A user whose edges would all fall keeps the least doubted one.

    Raises ValueError for log odds that are no numbers, or not one for each edge.
    """
    check_log_odds(log_odds, len(train))
    config = config or PosteriorConfig()
    chance = probability_true(log_odds, odds=config.odds)
    stays = chance >= config.floor
    stays[_least_doubted(train, log_odds)] = True
    weights = train.values() * np.maximum(chance, np.float32(config.floor))
    left = train.where(stays)
    return Interactions(left.users, left.items, left.n_users, left.n_items, weights[stays])


def heard(baited: Baited, log_odds: Scores, at: Ints, said: Columns) -> Scores:
    """Return the baited graph's log odds after a judge spoke against edges of it: (E',).

    Fitted on the judged edges, decoys against the rest: a logistic of the log odds before, the
    judge's columns, and their squares and products. That an edge was chosen to be judged is
    evidence, too, and is added: ln P(judged | decoy) / P(judged | other). Where the sum is lower
    than before, and where nothing was judged, the log odds stay.

    Args:
        baited: the graph with decoys.
        log_odds: (E',) before.
        at: (R,) which of its edges were judged.
        said: (R, n) numbers that the judge gave, on any scale.
    """
    decoys, found = baited.decoys[at], log_odds.copy()
    if min(int(decoys.sum()), int((~decoys).sum())) < _FEW:
        return found
    X = _expanded(np.column_stack([log_odds[at], said]))
    after = X @ logistic(X[decoys], X[~decoys]) + _reach(baited.decoys, decoys)
    found[at] = np.maximum(found[at], after)
    return found


def labels(graph: Interactions, rated: RatedPairs) -> tuple[Ints, Columns]:
    """Return the edges that got a label and both views' labels: (R,), (R, 2).

    A missing label beside a given one counts as Mid. People's words are not used.
    """
    at = graph.locate(users=rated.users, items=rated.items)
    views = np.column_stack([rated.user_view, rated.item_view]).astype(np.float64)
    there = (at >= 0) & (views > MISSING).any(axis=1)
    return at[there], np.where(views == MISSING, MID, views)[there]


def _reach(all_decoys: Bools, judged_decoys: Bools) -> float:
    decoys = judged_decoys.sum() / all_decoys.sum()
    others = (~judged_decoys).sum() / (~all_decoys).sum()
    return float(np.log(decoys / others))


def _expanded(columns: Columns) -> Columns:
    """Return 1, the standardised columns, their squares and products: (R, k) -> (R, ...)."""
    spread = columns.std(axis=0)
    Z = (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    a, b = np.triu_indices(Z.shape[1])
    return np.column_stack([np.ones(len(Z)), Z, Z[:, a] * Z[:, b]])


def _least_doubted(train: Interactions, log_odds: Scores) -> Ints:
    """Return the position of each user's least doubted edge."""
    order = np.lexsort((log_odds, train.users))
    _, first = np.unique(train.users[order], return_index=True)
    return order[first]
