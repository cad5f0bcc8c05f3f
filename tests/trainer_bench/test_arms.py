"""The raters of the bookshop bench, on pairs small enough to read."""

from collections import Counter

import numpy as np

from services.recsys.candidates import Candidates
from services.recsys.data import Interactions
from services.recsys.verdicts import HIGH, LOW, MID, MISSING
from services.trainer.bench import arms, catching
from services.trainer.bench.catching import RatedEdges

TRAIN = Interactions.build(users=[0, 0, 0, 1, 1, 2], items=[0, 1, 2, 1, 3, 0], n_users=3, n_items=5)
PLANTED = np.array([False, True, False, False, True, False])


def _pairs() -> Candidates:
    """Four edges, (1, 3) and (0, 1) of them planted, then three non-edges."""
    users, items = np.array([1, 0, 0, 1, 2, 2, 0]), np.array([3, 1, 2, 1, 1, 2, 4])
    return Candidates(
        users=users,
        items=items,
        is_edge=np.array([True] * 4 + [False] * 3),
        scores=np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.8, 0.7]),
        history=np.full((7, 2), -1),
    )


def _views() -> arms.Views:
    user = np.array([LOW, LOW, HIGH, MISSING, HIGH, MID, LOW], dtype=np.int8)
    item = np.array([LOW, MID, HIGH, MID, HIGH, LOW, LOW], dtype=np.int8)
    return user, item


def test_the_placebo_keeps_the_counts_of_answers_among_edges_and_among_non_edges() -> None:
    pairs, said = _pairs(), _views()
    moved = 0
    for seed in range(20):
        user, item = arms.shuffled(pairs, said, rng=np.random.default_rng(seed))
        for kind in (pairs.is_edge, ~pairs.is_edge):
            before = Counter(zip(said[0][kind].tolist(), said[1][kind].tolist(), strict=True))
            after = Counter(zip(user[kind].tolist(), item[kind].tolist(), strict=True))
            assert after == before
        moved += not np.array_equal(user, said[0])
    assert moved > 10


def test_the_oracle_calls_planted_edges_low_true_ones_high_and_says_nothing_of_non_edges() -> None:
    user, item = arms.truth(_pairs(), TRAIN, PLANTED)
    assert user.tolist() == [LOW, LOW, HIGH, HIGH, MID, MID, MID]
    assert item.tolist() == user.tolist()


def test_doubt_and_noise_verdicts_are_judged_among_the_rated_edges_only() -> None:
    pairs = _pairs()
    edges = RatedEdges.of(pairs, TRAIN, PLANTED)
    assert edges.planted.tolist() == [True, True, False, False]
    row = catching.by_ratings("local", edges, arms.rated(pairs, _views()))
    # certainties 0, 1, 4 and 2 (a missing label counts as Mid): both fakes below both true edges;
    # a Low and no High: the first two
    assert (row["auc"], row["precision"], row["recall"]) == (1.0, 1.0, 1.0)
    numbers = {str(row["name"]): row for row in catching.by_numbers(edges, pairs, flags=1)}
    assert numbers["candidate score alone"]["auc"] == 1.0
    assert numbers["candidate score alone"]["recall"] == 0.5
    # item degrees 1 and 2 of the planted, 1 and 2 of the true: the degree tells nothing
    assert numbers["item degree alone"]["auc"] == 0.5
    # user degrees 2 and 3 against 3 and 2
    assert numbers["user degree alone"]["auc"] == 0.5
