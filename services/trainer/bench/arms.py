"""Who rates: the endpoint, chance, or the truth; the pairs are the same for all of them."""

import numpy as np

from services.recsys.candidates import Candidates
from services.recsys.data import Bools, Interactions
from services.recsys.verdicts import HIGH, LOW, MID, Labels, RatedPairs

Views = tuple[Labels, Labels]


def rated(pairs: Candidates, views: Views) -> RatedPairs:
    """Return the candidates with both views' labels."""
    return RatedPairs(
        users=pairs.users,
        items=pairs.items,
        user_view=views[0],
        item_view=views[1],
        scores=pairs.scores,
    )


def shuffled(pairs: Candidates, views: Views, *, rng: np.random.Generator) -> Views:
    """Permute the answers among the rated edges, and among the rated non-edges: the placebo.

    A pair's two labels travel together, so each kind keeps its counts of answers and how often the
    views agree; only which pair they belong to is chance.
    """
    order = np.arange(len(pairs))
    for kind in (pairs.is_edge, ~pairs.is_edge):
        at = np.flatnonzero(kind)
        order[at] = at[rng.permutation(len(at))]
    return views[0][order], views[1][order]


def truth(pairs: Candidates, train: Interactions, planted: Bools) -> Views:
    """Rate as the generator would: two Lows for a planted edge, two Highs for a true one.

    Non-edges get two Mids, which change nothing: all that the truth could say of them is
    validation and test.
    """
    at = train.locate(users=pairs.users, items=pairs.items)
    of_edges = np.where(planted[at], LOW, HIGH)
    labels = np.where(pairs.is_edge, of_edges, MID).astype(np.int8)
    return labels, labels
