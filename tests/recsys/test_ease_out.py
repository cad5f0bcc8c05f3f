"""EASE without an edge, against really refitting without it."""

import numpy as np

from services.recsys.closed_forms import Ease
from services.recsys.ease_out import ease_scores
from tests.recsys.planted import random_graph


def test_each_edge_is_scored_as_by_a_fit_that_never_saw_it() -> None:
    train = random_graph(8, n_users=12, n_items=10, edges=60)
    within, out = ease_scores(train, lam=3.0, block=5)
    whole = Ease(lam=3.0).fit(train).score_block(np.arange(12))
    np.testing.assert_allclose(within, whole[train.users, train.items], atol=1e-5)
    for edge in range(len(train)):
        rest = train.where(np.arange(len(train)) != edge)
        u, i = train.users[edge], train.items[edge]
        refit = Ease(lam=3.0).fit(rest).score_block(np.array([u]))[0, i]
        np.testing.assert_allclose(out[edge], refit, atol=1e-5)
    assert (out <= within).all()
