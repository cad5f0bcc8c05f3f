"""Collective EASE, text kernels and iALS against slow plain Python, and by folding in."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from services.recsys.closed_forms import CollectiveEase, Ease, Ials, Side, TextKernel
from services.recsys.data import Interactions
from tests.recsys.planted import random_graph
from tests.spec import oracle_closed_forms as oracle

RNG = np.random.default_rng(8)
WORDS = csr_matrix((RNG.random((6, 4)) * (RNG.random((6, 4)) < 0.6)).astype(np.float32))
DENSE = RNG.standard_normal((6, 3)).astype(np.float32)
PEOPLE = RNG.standard_normal((7, 2)).astype(np.float32)
GRAPH = random_graph(4, n_users=7, n_items=6, edges=22, weighted=True)
R = GRAPH.csr().toarray().astype(float).tolist()
EVERYONE = np.arange(7)


def collective(*, lam: float = 0.7, power: float = 1.0) -> CollectiveEase:
    sides = [Side(WORDS, 0.5), Side(DENSE, 0.2)]
    return CollectiveEase(sides, lam=lam, users=PEOPLE, beta=1.5, power=power)


def test_collective_ease_is_ridge_regression_on_stacked_rows_and_columns() -> None:
    beside = [
        [*row, *(1.5 * x for x in text)] for row, text in zip(R, PEOPLE.tolist(), strict=True)
    ]
    below = [
        [math.sqrt(weight) * x for x in column] + [0.0, 0.0]
        for features, weight in ((WORDS.toarray(), 0.5), (DENSE, 0.2))
        for column in features.T.tolist()
    ]
    B = oracle.stacked_ridge(beside + below, 6, lam=0.7)
    expected = [[oracle.dot(row, column) for column in oracle.columns(B)] for row in beside]
    found = collective().fit(GRAPH).score_block(EVERYONE)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_without_texts_collective_ease_is_ease() -> None:
    ours = CollectiveEase([], lam=0.7).fit(GRAPH).score_block(EVERYONE)
    np.testing.assert_allclose(ours, Ease(lam=0.7).fit(GRAPH).score_block(EVERYONE), atol=1e-6)


@pytest.mark.parametrize("power", [0.5, 1.5])
def test_between_items_only_entries_are_raised_to_the_power_at_the_length_they_had(
    power: float,
) -> None:
    plain = collective().fit(GRAPH)
    before = plain.B.tolist()
    raised = [[math.copysign(abs(b) ** power, b) for b in row] for row in before]
    length, new = (math.sqrt(sum(b * b for row in rows for b in row)) for rows in (before, raised))
    found = collective(power=power).fit(GRAPH)
    expected = [[b * length / new for b in row] for row in raised]
    np.testing.assert_allclose(found.B, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(found.C, plain.C)


@pytest.mark.parametrize("power", [0.0, float("nan")])
def test_a_power_that_is_none_is_refused(power: float) -> None:
    with pytest.raises(ValueError, match=f"power must be above 0, and is {power}"):
        CollectiveEase([], power=power)


def test_a_solution_reads_the_same_users_histories_with_other_weights() -> None:
    weights = RNG.random(len(GRAPH)).astype(np.float32)
    other = replace(GRAPH, weights=weights)
    solved = collective().fit(GRAPH)
    read = solved.reading(other)
    expected = other.csr() @ solved.B + solved.score_texts(PEOPLE)
    np.testing.assert_allclose(read.score_block(EVERYONE), expected, atol=1e-5)
    kept = GRAPH.csr() @ solved.B + solved.score_texts(PEOPLE)
    np.testing.assert_allclose(solved.score_block(EVERYONE), kept, atol=1e-5)


def test_a_newcomer_with_the_history_and_text_of_a_known_user_gets_that_users_scores() -> None:
    model = collective().fit(GRAPH)
    folded = model.score_rows(GRAPH.csr()[2:5]) + model.score_texts(PEOPLE[2:5])
    np.testing.assert_allclose(folded, model.score_block(np.arange(2, 5)), atol=1e-6)
    assert not CollectiveEase([], lam=1).fit(GRAPH).score_texts(PEOPLE[2:5]).any()


@pytest.mark.parametrize("features", [WORDS, DENSE])
def test_a_text_kernel_sums_the_likeness_to_the_items_taken(
    features: csr_matrix | np.ndarray,
) -> None:
    rows = (features.toarray() if isinstance(features, csr_matrix) else features).tolist()
    likeness = [[oracle.dot(a, b) for b in rows] for a in rows]
    expected = [[oracle.dot(row, column) for column in oracle.columns(likeness)] for row in R]
    found = TextKernel(features).fit(GRAPH).score_block(EVERYONE)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("f", [3, 8])  # rows with more edges than f take the other way
def test_a_half_step_of_ials_minimises_its_loss(f: int) -> None:
    model = Ials(f=f, reg=0.5, alpha=3.0, sweeps=2, seed=1).fit(GRAPH)
    X = model.fold_in(GRAPH.csr())
    expected = oracle.ials_half_step(R, model.Y.tolist(), reg=0.5, alpha=3.0)
    np.testing.assert_allclose(X, expected, atol=2e-4)


def test_ials_finds_two_circles_of_taste() -> None:
    users, items = np.divmod(np.arange(400), 20)
    kept = (users % 2 == items % 2) & (np.random.default_rng(5).random(400) < 0.7)
    graph = Interactions.build(users=users[kept], items=items[kept], n_users=20, n_items=20)
    scores = Ials(f=2, reg=1.0, alpha=5.0).fit(graph).score_block(np.arange(20))
    own = np.arange(20)[:, None] % 2 == np.arange(20)[None, :] % 2
    assert scores[own].min() > scores[~own].max()


def test_ials_gives_the_same_bytes_for_the_same_seed_and_nothing_to_who_has_nothing() -> None:
    first, second = (Ials(f=4, seed=9).fit(GRAPH).score_block(EVERYONE) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert not first[GRAPH.user_degrees() == 0].any()


def test_an_edge_of_weight_zero_is_no_edge_to_ials() -> None:
    rows = csr_matrix((np.array([1.0, 0.0], np.float32), ([0, 0], [1, 3])), shape=(1, 6))
    model = Ials(f=4, seed=2).fit(GRAPH)
    alone = csr_matrix((np.ones(1, np.float32), ([0], [1])), shape=(1, 6))
    np.testing.assert_array_equal(model.score_rows(rows), model.score_rows(alone))
