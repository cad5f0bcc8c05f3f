"""Decoys: edges that we plant ourselves and have judged like all others, to learn who can judge.

What a rater's Low is worth differs from rater to rater and from shop to shop. Of an edge that was
planted a moment ago we know that it is noise, so the labels that decoys get, beside those of
the other suspicious edges, measure the rater on the very graph that is to be refined.
"""

from dataclasses import dataclass

import numpy as np

from services.recsys.data import Bools, Interactions, Ints
from services.recsys.detect import KINDS, plant


@dataclass(frozen=True, kw_only=True, eq=False)
class Baited:
    """A graph with decoys among its edges."""

    graph: Interactions
    decoys: Bools  # (E',)

    def back(self, train: Interactions) -> Ints:
        """Return where the edges of the graph without decoys stand in this one: (E,)."""
        return self.graph.locate(users=train.users, items=train.items)


def bait(train: Interactions, *, share: float, rng: np.random.Generator) -> Baited:
    """Plant share * |E| decoys, as many of each kind of noise.

    Raises ValueError when the graph has not that many pairs left free.
    """
    graph, left = train, round(share * len(train))
    for place, kind in enumerate(KINDS):
        wanted = left // (len(KINDS) - place)
        graph, _ = plant(graph, share=wanted / len(graph), kind=kind, rng=rng)
        left -= wanted
    decoys = ~train.contains(users=graph.users, items=graph.items)
    return Baited(graph=graph, decoys=decoys)
