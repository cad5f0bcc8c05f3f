"""Plausibility: the regression by its own slope, and noise that is found without a label."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from scipy.special import expit

from services.recsys.data import Floats, Interactions
from services.recsys.detect import KINDS, plant
from services.recsys.metrics import auc
from services.recsys.plausibility import RIDGE, _chance, _quadratic, logistic, plausibility
from services.recsys.suspicion import leave_one_out
from services.recsys.texts import directions
from tests.recsys.planted import circles


def cost(true: np.ndarray, false: np.ndarray, b: np.ndarray) -> float:
    """The objective by hand: both sides weigh (n + m)/2, and a ridge."""
    half = (len(true) + len(false)) / 2
    fit = np.logaddexp(0, -true @ b).mean() + np.logaddexp(0, false @ b).mean()
    return float(half * fit + RIDGE / 2 * b @ b)


def test_the_regression_ends_where_its_cost_has_no_slope() -> None:
    rng = np.random.default_rng(1)
    true, false = rng.normal(size=(40, 3)) + 0.5, rng.normal(size=(70, 3))
    b = logistic(true, false)
    for step in np.eye(3) * 1e-5:
        slope = (cost(true, false, b + step) - cost(true, false, b - step)) / 2e-5
        assert slope == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_columns_with_heavy_tails_throw_no_step_away(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, false = (_quadratic(rng.standard_t(2, size=(60, 3)) ** 2 * c) for c in (1, 3))
    b, X = logistic(true, false), np.concatenate([true, false])
    slope = X.T @ ((np.arange(120) < 60) - expit(X @ b)) - RIDGE * b
    assert np.abs(slope / np.linalg.norm(X, axis=0)).max() < 1e-6
    assert cost(true, false, b) < cost(true, false, np.zeros(len(b)))


def test_sides_of_unlike_size_weigh_the_same() -> None:
    ones = np.ones((3, 1))  # one column that tells nothing: even odds
    assert logistic(ones, np.ones((300, 1))).tolist() == pytest.approx([0.0])


@pytest.mark.parametrize("kind", KINDS)
def test_planted_pairs_are_found_without_a_label_and_better_than_by_co_occurrence(
    kind: str,
) -> None:
    world = circles(1, n_users=120, n_items=60, shown=6, planted=1)
    texts = np.eye(8)[np.arange(60) % 2] + 0.5 * np.random.default_rng(0).normal(size=(60, 8))
    noisy, fake = plant(world.clean, share=0.2, kind=kind, rng=np.random.default_rng(2))
    crossing = fake & (noisy.users % 2 != noisy.items % 2)  # the others are as good as true
    known = ~fake | crossing
    vectors = directions(torch.from_numpy(texts))
    rng = np.random.default_rng(3)
    with_text = plausibility(noisy, vectors=vectors, rng=rng)
    by_graph = plausibility(noisy, vectors=None, rng=np.random.default_rng(3))
    plain = auc(-leave_one_out(noisy)[known], crossing[known])
    assert auc(-with_text[known], crossing[known]) > max(plain, 0.85)
    assert auc(-by_graph[known], crossing[known]) > plain - 0.02


def test_one_seed_gives_one_answer() -> None:
    train = circles(2).train
    one, two, other = (
        plausibility(train, vectors=None, rng=np.random.default_rng(seed)) for seed in (4, 4, 5)
    )
    assert one.tolist() == two.tolist()
    assert one.tolist() != other.tolist()


def test_where_no_pair_is_left_to_compare_with_all_edges_are_alike() -> None:
    full = Interactions.build(users=[0, 0, 1, 1], items=[0, 1, 0, 1], n_users=2, n_items=2)
    rng = np.random.default_rng(0)
    assert plausibility(full, vectors=None, rng=rng).tolist() == [0.0] * 4
    nobody = Interactions.build(users=[], items=[], n_users=2, n_items=2)
    assert plausibility(nobody, vectors=None, rng=rng).tolist() == []


@pytest.mark.parametrize(
    ("vectors", "told"),
    [
        (np.array([[0.0, 1.0], [np.nan, 0.0]]), r"vectors\[1\] is not finite"),
        (np.eye(3), r"shape \(3, 3\): a dense array \(2, d\) of directions is wanted"),
        (np.ones(2), r"shape \(2,\): a dense array"),
        (csr_matrix(np.eye(2)), r"sparse: densify, a dense array \(2, d\) of directions is wanted"),
        (torch.eye(2), r"a Tensor of torch\.float32: a dense array"),
        (np.array([["a"], ["b"]]), "a ndarray of <U1: a dense array"),
    ],
)
def test_vectors_that_are_no_direction_for_each_item_are_refused(
    vectors: Floats, told: str
) -> None:
    graph = Interactions.build(users=[0, 1], items=[0, 1], n_users=2, n_items=2)
    with pytest.raises(ValueError, match=told):
        plausibility(graph, vectors=vectors, rng=np.random.default_rng(0))


def test_pairs_drawn_by_chance_are_no_edges() -> None:
    train = circles(1).train
    keys = _chance(train, np.random.default_rng(0))
    assert len(keys) > 300  # a third of the drawn meets an edge at most
    assert len(np.unique(keys)) == len(keys)
    assert not np.isin(keys, train.keys()).any()
