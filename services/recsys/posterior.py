"""Edges weighed by how likely they are true: G' by doubt and ratings together (Eq. 15-17, softly).

A hard rule pays for every wrong drop; a weight pays in proportion. Ratings enter as further
evidence: where decoys were rated too, what a label is worth is learned from them, so that a rater
who knows no more than chance, or no more than the doubt did before, changes nothing.
"""

from dataclasses import dataclass

import numpy as np

from services.recsys.data import Bools, Floats, Interactions
from services.recsys.decoys import Baited, Logistic
from services.recsys.doubt import Columns
from services.recsys.suspicion import Scores
from services.recsys.verdicts import MID, MISSING, RatedPairs

_FEW = 50
"""Rated decoys below which nothing is learned of a rater."""


@dataclass(frozen=True, kw_only=True)
class PosteriorConfig:
    """What is expected before any evidence, and the limits."""

    odds: float = 0.4  # noise edges expected per true one; 0 weighs every edge 1
    floor: float = 0.02  # below that weight an edge falls; a user's last never does
    l2: float = 1e-3


def probability_true(log_odds: Scores, *, odds: float) -> Floats:
    """P(true) = 1 / (1 + odds * e^s), s the balanced log odds of noise: (E,) -> (E,)."""
    if not odds:
        return np.ones(len(log_odds), dtype=np.float32)
    against = np.clip(log_odds + np.log(odds), -500, 500)
    chance: Floats = (1 / (1 + np.exp(against))).astype(np.float32)
    return chance


def weighed(
    train: Interactions, log_odds: Scores, *, config: PosteriorConfig | None = None
) -> Interactions:
    """Return E' with w_ui = w_ui^train * P(true); what falls below the floor is gone.

    A user whose edges would all fall keeps the most likely one.
    """
    config = config or PosteriorConfig()
    chance = probability_true(log_odds, odds=config.odds)
    stays = chance >= config.floor
    stays[_most_likely(train, log_odds)] = True
    graph = train.where(stays)
    weights = (train.values() * np.maximum(chance, np.float32(config.floor)))[stays]
    return Interactions(graph.users, graph.items, graph.n_users, graph.n_items, weights)


def heard(
    baited: Baited,
    baited_odds: Scores,
    rated: RatedPairs,
    *,
    config: PosteriorConfig | None = None,
) -> Scores:
    """Return the baited graph's log odds after the ratings: (E',); unrated edges keep theirs.

    Args:
        baited: the graph whose suspicious edges, decoys among them, were rated.
        baited_odds: (E',) log odds of noise before the ratings.
        rated: what was said; pairs that are no edges of the baited graph are not used.
        config: its `l2` holds the second logistic back.
    """
    config = config or PosteriorConfig()
    at, said = _of_edges(baited.graph, rated)
    decoys = baited.decoys[at]
    found = baited_odds.copy()
    if min(decoys.sum(), (~decoys).sum()) < _FEW:
        return found
    evidence = np.column_stack([baited_odds[at], said])
    taught = Logistic.fit(evidence, decoys, l2=config.l2)
    found[at] = taught.log_odds(evidence) + _reach(baited.decoys, decoys)
    return found


def _reach(all_decoys: Bools, rated_decoys: Bools) -> float:
    """Return ln P(rated | decoy) / P(rated | other): being chosen for rating is evidence itself."""
    decoys = rated_decoys.sum() / all_decoys.sum()
    others = (~rated_decoys).sum() / (~all_decoys).sum()
    return float(np.log(decoys / others))


def _of_edges(graph: Interactions, rated: RatedPairs) -> tuple[np.ndarray, Columns]:
    """Return the edges with at least one label, and both labels, a missing one as Mid: (R, 2)."""
    at = graph.locate(users=rated.users, items=rated.items)
    views = np.column_stack([rated.user_view, rated.item_view]).astype(np.float64)
    there = (at >= 0) & (views > MISSING).any(axis=1)
    return at[there], np.where(views == MISSING, MID, views)[there]


def _most_likely(train: Interactions, log_odds: Scores) -> np.ndarray:
    """Return the position of each user's least doubted edge."""
    order = np.lexsort((log_odds, train.users))
    _, first = np.unique(train.users[order], return_index=True)
    return order[first]
