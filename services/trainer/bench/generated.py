"""Interactions of any size with degrees that fall by a power, for the benches of scale."""

import numpy as np

from services.recsys.data import Interactions, Ints

EXPONENT = 0.6
"""Of rank^-exponent, the weight by which users and items are drawn."""

ROOM = 1.15
"""Pairs drawn for each that is wanted: repeated ones fall away."""


def generated(edges: int, *, seed: int) -> Interactions:
    """Return exactly so many distinct pairs; one user a 25 pairs, one item a 60, both at least 2.

    Both sides are drawn independently by rank^-EXPONENT, ranks in a random order, until enough
    distinct pairs are there; chance then says which of too many go.
    """
    rng = np.random.default_rng(seed)
    n_users, n_items = max(2, edges // 25), max(2, edges // 60)
    users, items = _order(n_users, rng), _order(n_items, rng)
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < edges:
        wanted = int((edges - len(keys)) * ROOM) + 16
        drawn = users[_ranks(n_users, wanted, rng)] * np.int64(n_items)
        drawn += items[_ranks(n_items, wanted, rng)]
        keys = np.unique(np.concatenate([keys, drawn]))
    kept = np.ones(len(keys), dtype=np.bool_)
    kept[rng.choice(len(keys), len(keys) - edges, replace=False)] = False
    return Interactions.from_keys(keys[kept], n_users=n_users, n_items=n_items)


def _order(count: int, rng: np.random.Generator) -> Ints:
    return rng.permutation(count).astype(np.int64)


def _ranks(count: int, wanted: int, rng: np.random.Generator) -> Ints:
    """Draw ranks from 0 with P ~ (rank + 1)^-EXPONENT, by the inverse of its integral."""
    share = 1 - EXPONENT
    top = (count + 1) ** share
    drawn = (1 + rng.random(wanted) * (top - 1)) ** (1 / share) - 1
    ranks: Ints = np.minimum(drawn.astype(np.int64), count - 1)
    return ranks
