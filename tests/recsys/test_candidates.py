"""Candidates: who is asked about, under which budget, and with which history."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from services.recsys.candidates import CandidateConfig, Candidates, choose_candidates
from services.recsys.data import Interactions
from services.recsys.topk import NO_ITEM

GRAPH = Interactions.build(users=[0, 0, 0, 1, 1, 2], items=[0, 1, 2, 3, 4, 0], n_users=4, n_items=6)
SCORES = np.array(
    [
        [3.0, 9.0, 1.0, 4.0, 5.0, 2.0],
        [9.0, 1.0, 2.0, 5.0, 7.0, 3.0],
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        [9.0, 9.0, 9.0, 9.0, 9.0, 9.0],  # user 3 has no edge
    ]
)
EDGE_SCORES = np.array([0.5, 0.9, 0.1, 0.2, 0.4, 0.0])
CONFIG = CandidateConfig(n1=2, n2=1, history=2, block=2)


def choose(
    config: CandidateConfig,
    seed: int = 0,
    *,
    edge_scores: npt.NDArray[np.float64] = EDGE_SCORES,
    decided: Interactions | None = None,
) -> Candidates:
    return choose_candidates(
        GRAPH,
        lambda users: SCORES[users],
        edge_scores=edge_scores,
        config=config,
        rng=np.random.default_rng(seed),
        decided=decided,
    )


def pairs(found: Candidates, *, edges: bool) -> list[tuple[int, int]]:
    kept = found.is_edge == edges
    return list(zip(found.users[kept].tolist(), found.items[kept].tolist(), strict=True))


def test_the_most_suspicious_edge_of_each_user_and_the_best_non_edges_are_chosen() -> None:
    found = choose(CONFIG)
    # user 2 has a single edge, which stays whatever is said of it
    assert pairs(found, edges=True) == [(0, 2), (1, 3)]
    assert pairs(found, edges=False) == [(1, 0), (0, 4), (2, 5), (0, 3), (2, 4), (1, 5)]
    assert found.scores.tolist() == [0.1, 0.2, 9.0, 5.0, 5.0, 4.0, 4.0, 3.0]


@pytest.mark.parametrize("order", ["most_suspicious", "sampled"])
def test_a_pair_that_a_person_decided_is_not_asked_about_and_the_next_takes_its_place(
    order: str,
) -> None:
    decided = Interactions.build(users=[0, 0, 2, 3], items=[2, 4, 0, 1], n_users=4, n_items=6)
    said = set(zip(decided.users.tolist(), decided.items.tolist(), strict=True))
    found = choose(replace(CONFIG, order=order), decided=decided)  # type: ignore[arg-type]
    assert not said & {*pairs(found, edges=True), *pairs(found, edges=False)}
    assert len(pairs(found, edges=True)) == 2  # of users 0 and 1, one each
    if order == "most_suspicious":
        assert pairs(found, edges=True) == [(1, 3), (0, 0)]
        assert pairs(found, edges=False) == [(1, 0), (2, 5), (0, 3), (2, 4), (1, 5), (0, 5)]
    all_of_one = Interactions.build(users=[0, 0, 0], items=[0, 1, 2], n_users=4, n_items=6)
    assert pairs(choose(CONFIG, decided=all_of_one), edges=True) == [(1, 3)]


def test_edges_go_by_score_and_a_tie_by_the_gap_to_their_users_mean() -> None:
    found = choose(replace(CONFIG, n2=2))
    assert pairs(found, edges=True) == [(0, 2), (1, 3), (1, 4), (0, 0)]
    tied = choose(replace(CONFIG, n2=1), edge_scores=np.array([0.2, 0.0, 0.3, 0.0, 0.9, 0.0]))
    # both lie at 0: user 1's mean is .45, user 0's .17
    assert pairs(tied, edges=True) == [(1, 3), (0, 1)]


def test_the_history_is_the_best_liked_without_the_pairs_own_item() -> None:
    found = choose(CONFIG)
    history = dict(
        zip(zip(found.users.tolist(), found.items.tolist(), strict=True), found.history.tolist())  # noqa: B905 - equal by the class
    )
    assert history[(0, 2)] == [1, 0]  # scores 9 and 3; item 2 is the pair's own
    assert history[(0, 4)] == [1, 0]
    assert history[(1, 3)] == [4, NO_ITEM]
    assert history[(2, 5)] == [0, NO_ITEM]


@pytest.mark.parametrize(
    ("budget", "share", "n_edges", "n_non_edges"),
    [
        (5, 0.4, 2, 3),
        (5, 0.2, 1, 4),
        (2, 1.0, 2, 0),
        (5, 1.0, 2, 3),  # edges leave room, non-edges take it
        (7, 0.0, 1, 6),  # non-edges leave room, edges take it
        (0, 0.8, 0, 0),
        (99, 0.8, 2, 6),
    ],
)
def test_the_budget_is_a_hard_cap_divided_by_the_share(
    budget: int, share: float, n_edges: int, n_non_edges: int
) -> None:
    found = choose(replace(CONFIG, budget=budget, positive_share=share))
    assert (found.is_edge.sum(), (~found.is_edge).sum()) == (n_edges, n_non_edges)
    whole = choose(CONFIG)
    assert pairs(found, edges=True) == pairs(whole, edges=True)[:n_edges]
    assert pairs(found, edges=False) == pairs(whole, edges=False)[:n_non_edges]


def test_no_non_edges_are_chosen_where_n1_is_zero() -> None:
    assert pairs(choose(replace(CONFIG, n1=0)), edges=False) == []


def shares(*, edges: bool, draws: int = 4000) -> npt.NDArray[np.float64]:
    config = replace(CONFIG, n1=1, order="sampled")
    counts = np.zeros(6)
    rng = np.random.default_rng(4)
    scores = np.log([[1.0, 1.0, 1.0, 2.0, 3.0, 5.0]])
    graph = Interactions.build(users=[0, 0, 0], items=[0, 1, 2], n_users=1, n_items=6)
    for _ in range(draws):
        found = choose_candidates(
            graph,
            lambda users: scores[users],
            edge_scores=-np.log([1.0, 3.0, 6.0]),
            config=config,
            rng=rng,
        )
        counts[found.items[found.is_edge == edges]] += 1
    return counts / draws


def test_sampled_candidates_follow_the_softmax_of_the_score_and_of_its_negative() -> None:
    # exp(score) is 2 : 3 : 5 over the non-edges, exp(-score) is 1 : 3 : 6 over the edges;
    # the standard error of a share of 1/2 in 4,000 draws is .008
    assert shares(edges=False).tolist() == pytest.approx([0, 0, 0, 0.2, 0.3, 0.5], abs=0.03)
    assert shares(edges=True).tolist() == pytest.approx([0.1, 0.3, 0.6, 0, 0, 0], abs=0.03)


def test_samples_are_without_return_and_the_same_for_the_same_seed() -> None:
    config = replace(CONFIG, n2=2, order="sampled", temperature=20.0)
    found, again, other = choose(config, 1), choose(config, 1), choose(config, 2)
    everything = pairs(found, edges=True) + pairs(found, edges=False)
    assert len(set(everything)) == len(everything) == 4 + 6
    edges = set(zip(GRAPH.users.tolist(), GRAPH.items.tolist(), strict=True))
    assert set(pairs(found, edges=True)) < edges
    assert not set(pairs(found, edges=False)) & edges
    assert pairs(again, edges=False) == pairs(found, edges=False)
    assert pairs(other, edges=False) != pairs(found, edges=False)
