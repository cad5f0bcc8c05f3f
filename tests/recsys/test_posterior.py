"""Weights by doubt, and what a judge is worth by what decoys got from them."""

import numpy as np
import pytest

from services.recsys.data import Interactions
from services.recsys.decoys import Baited, bait
from services.recsys.posterior import (
    PosteriorConfig,
    heard,
    labels,
    probability_true,
    weighed,
)
from services.recsys.verdicts import HIGH, LOW, MID, MISSING, RatedPairs
from tests.recsys.planted import auc, circles, random_graph


def test_the_posterior_by_hand() -> None:
    # odds 1/2: P = 1 / (1 + e^s / 2); s = 0, ln 2, ln 6
    found = probability_true(np.log([1.0, 2.0, 6.0]), odds=0.5)
    assert found.tolist() == pytest.approx([2 / 3, 1 / 2, 1 / 4])
    assert probability_true(np.array([9.0, -9.0]), odds=0).tolist() == [1, 1]
    assert probability_true(np.array([1e4, -1e4]), odds=0.5).tolist() == [0, 1]


def test_weights_multiply_and_a_user_keeps_the_least_doubted_edge() -> None:
    graph = Interactions.build(
        users=[0, 0, 1, 1], items=[0, 1, 0, 2], n_users=2, n_items=3, weights=[1, 2, 1, 1]
    )
    s = np.log([1.0, 3.0, 199.0, 99.0])  # P = 1/2, 1/4, 1/200, 1/100 at odds 1
    found = weighed(graph, s, config=PosteriorConfig(odds=1.0, floor=0.02))
    pairs = zip(found.users.tolist(), found.items.tolist(), found.values().tolist(), strict=True)
    kept = {(u, i): w for u, i, w in pairs}
    assert kept == pytest.approx({(0, 0): 0.5, (0, 1): 0.5, (1, 2): 0.02})


@pytest.mark.parametrize(
    ("log_odds", "told"),
    [
        ([0.0, np.nan, 1.0], r"log_odds\[1\] is not a number"),
        ([0.0, 1.0], r"log_odds has shape \(2,\): one for each edge is wanted, \(3,\)"),
        ([[0.0], [1.0], [2.0]], r"log_odds has shape \(3, 1\)"),
    ],
)
def test_log_odds_that_are_no_numbers_or_not_one_an_edge_are_refused(
    log_odds: list[float], told: str
) -> None:
    graph = Interactions.build(users=[0, 0, 1], items=[0, 1, 0], n_users=2, n_items=2)
    with pytest.raises(ValueError, match=told):
        weighed(graph, np.array(log_odds))


def test_endless_doubt_and_endless_trust_are_log_odds() -> None:
    graph = Interactions.build(users=[0, 0], items=[0, 1], n_users=1, n_items=2)
    found = weighed(graph, np.array([-np.inf, np.inf]))
    assert found.items.tolist() == [0]
    assert found.values().tolist() == [1.0]


def test_decoys_are_new_edges_and_the_graph_is_all_there() -> None:
    graph = random_graph(3, n_users=40, n_items=50, edges=300)
    baited = bait(graph, share=0.2, rng=np.random.default_rng(0))
    taken = set(graph.keys().tolist())
    planted = set(baited.graph.keys()[baited.decoys].tolist())
    assert not taken & planted
    assert taken | planted == set(baited.graph.keys().tolist())
    assert len(planted) == round(0.2 * len(graph))
    back = baited.back(graph)
    assert baited.graph.keys()[back].tolist() == graph.keys().tolist()


def _world() -> tuple[Baited, np.ndarray]:
    """Two circles with noise across them, baited; and which edges cross, decoys included."""
    world = circles(0, n_users=200, n_items=60, planted=2)
    baited = bait(world.train, share=0.2, rng=np.random.default_rng(1))
    return baited, (baited.graph.users - baited.graph.items) % 2 == 1


def test_a_judge_who_knows_something_finds_the_noise_that_decoys_taught_them_to_find() -> None:
    baited, crossing = _world()
    rng = np.random.default_rng(2)
    before = 0.1 * rng.normal(size=len(baited.graph))
    said = np.where(crossing, 0.0, 2.0) + rng.integers(0, 2, len(before))
    at = np.flatnonzero(rng.random(len(before)) < 0.7)
    after = heard(baited, before, at, said[at, None])
    noise = crossing & ~baited.decoys  # no decoy: nobody told
    rest = ~crossing & ~baited.decoys
    judged = np.isin(np.arange(len(before)), at)
    assert auc(high=after[noise & judged], low=after[rest & judged]) > 0.9
    assert auc(high=before[noise], low=before[rest]) < 0.55
    assert (after[~judged] == before[~judged]).all()
    assert (after >= before).all()  # a good word leaves an edge where it was


def test_a_judge_who_tosses_a_coin_hardly_moves_the_order() -> None:
    baited, crossing = _world()
    rng = np.random.default_rng(3)
    before = np.where(crossing, 1.0, -1.0) + rng.normal(size=len(crossing))
    at = np.arange(len(before))
    after = heard(baited, before, at, rng.integers(0, 3, (len(at), 2)).astype(float))
    noise, rest = crossing & ~baited.decoys, ~crossing & ~baited.decoys
    first, second = (auc(high=one[noise], low=one[rest]) for one in (before, after))
    # half of the decoys lie within a circle: what they teach of `before` is blurred
    assert second == pytest.approx(first, abs=0.05)


def test_being_chosen_to_be_judged_is_evidence() -> None:
    baited, _ = _world()
    rng = np.random.default_rng(4)
    decoys, others = np.flatnonzero(baited.decoys), np.flatnonzero(~baited.decoys)
    at = np.concatenate([decoys[: len(decoys) // 2], others[: len(others) // 8]])
    after = heard(baited, np.zeros(len(baited.graph)), at, rng.normal(size=(len(at), 1)))
    # half of the decoys and an eighth of the others: ln 4, whatever the judge says
    assert float(after[at].mean()) == pytest.approx(np.log(4), abs=0.1)


def test_too_few_decoys_teach_nothing() -> None:
    baited, _ = _world()
    before = np.zeros(len(baited.graph))
    at = np.flatnonzero(baited.decoys)[:49]
    assert (heard(baited, before, at, np.ones((49, 1))) == before).all()


def test_a_missing_label_beside_a_given_one_is_mid_and_two_missing_ones_are_no_word() -> None:
    graph = Interactions.build(users=[0, 0, 1], items=[0, 1, 0], n_users=2, n_items=3)
    rated = RatedPairs(
        users=np.array([1, 0, 0, 1]),
        items=np.array([0, 1, 0, 2]),
        user_view=np.array([LOW, MISSING, MISSING, HIGH], dtype=np.int8),
        item_view=np.array([HIGH, LOW, MISSING, HIGH], dtype=np.int8),
        scores=np.zeros(4),
    )
    at, said = labels(graph, rated)
    assert at.tolist() == [2, 1]  # (1, 2) is no edge
    assert said.tolist() == [[LOW, HIGH], [MID, LOW]]
