"""Maps into a trained space against slow plain Python, and on planted worlds."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from services.recsys.cold import Map, fit_fold_in, fit_map, pooled, unit
from services.recsys.data import Embeddings, Interactions


def _plain_pool(histories: list[list[int]], items: list[list[float]]) -> list[list[float]]:
    rows = []
    for history in histories:
        total = [0.0] * len(items[0])
        for item in history:
            total = [a + b for a, b in zip(total, items[item], strict=True)]
        norm = sum(x * x for x in total) ** 0.5
        rows.append([x / norm if norm else 0.0 for x in total])
    return rows


def test_pooling_is_the_direction_of_the_sum_of_the_items_taken() -> None:
    rng = np.random.default_rng(0)
    items = rng.normal(size=(7, 3)).astype(np.float32)
    histories = [[0, 3, 6], [2], []]
    rows = np.zeros((3, 7), dtype=np.float32)
    for row, history in zip(rows, histories, strict=True):
        row[history] = 1
    expected = _plain_pool(histories, items.tolist())
    np.testing.assert_allclose(pooled(csr_matrix(rows), items), expected, atol=1e-6)


def test_a_map_solves_the_regularised_normal_equations() -> None:
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(40, 4)), rng.normal(size=(40, 2))
    lam = 3.0
    map_ = fit_map(X, Y, lambdas=(lam,)).map
    directions = unit(Y)
    A, B = X - X.mean(axis=0), directions - directions.mean(axis=0)
    gradient = A.T @ (A @ map_.W.astype(np.float64) - B) + lam * map_.W
    np.testing.assert_allclose(gradient, 0, atol=1e-4)
    np.testing.assert_allclose(map_.bias, directions.mean(axis=0), atol=1e-6)


def test_a_mapped_row_has_the_mean_length_of_the_trained_and_an_empty_one_none() -> None:
    rng = np.random.default_rng(2)
    X, Y = rng.normal(size=(50, 3)), 5 * unit(rng.normal(size=(50, 2)))
    mapped = fit_map(X, Y).map(np.vstack([X[:4], np.zeros((1, 3))]))
    np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), [5, 5, 5, 5, 0], rtol=1e-5)


def test_a_linear_world_is_found_again_under_the_weakest_strength() -> None:
    rng = np.random.default_rng(3)
    X, W = rng.normal(size=(400, 5)), rng.normal(size=(5, 3))
    fitted = fit_map(X, unit(X @ W), lambdas=(1e-3, 1e4))
    assert fitted.lam == 1e-3
    assert fitted.cosine is not None
    assert fitted.cosine > 0.95


def test_noise_takes_the_stronger_strength() -> None:
    rng = np.random.default_rng(4)
    X, Y = rng.normal(size=(60, 50)), rng.normal(size=(60, 3)) + 2
    assert fit_map(X, Y, lambdas=(1e-6, 1e4)).lam == 1e4


def test_few_rows_are_fitted_under_the_strongest_strength_and_judged_by_nobody() -> None:
    fitted = fit_map(np.eye(3), np.eye(3), lambdas=(0.1, 100.0))
    assert (fitted.lam, fitted.cosine) == (100.0, None)


def test_rows_without_a_vector_teach_nothing() -> None:
    rng = np.random.default_rng(5)
    X, Y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    padded = fit_map(np.vstack([X, np.zeros((5, 4))]), np.vstack([Y, np.ones((5, 2))])).map
    plain = fit_map(X, Y).map
    np.testing.assert_array_equal(padded.W, plain.W)
    with pytest.raises(ValueError, match="nobody has both"):
        fit_map(np.zeros((3, 2)), np.ones((3, 2)))


def test_of_too_many_rows_evenly_spaced_ones_are_read() -> None:
    rng = np.random.default_rng(8)
    X, Y = rng.normal(size=(101, 4)), rng.normal(size=(101, 2))
    thinned, plain = fit_map(X, Y, most=51).map, fit_map(X[::2], Y[::2]).map
    np.testing.assert_array_equal(thinned.W, plain.W)
    np.testing.assert_array_equal(fit_map(X, Y, most=50).map.W, fit_map(X[::3], Y[::3]).map.W)


def test_the_fold_in_of_a_trained_users_own_history_is_near_the_trained_vector() -> None:
    rng = np.random.default_rng(6)
    tastes = unit(rng.normal(size=(2, 8)))
    items = unit(tastes[np.arange(40) % 2] + 0.1 * rng.normal(size=(40, 8)))
    pairs = [(u, i) for u in range(60) for i in rng.choice(np.arange(u % 2, 40, 2), 6, False)]
    users, taken = zip(*pairs, strict=True)
    train = Interactions.build(users=users, items=taken, n_users=60, n_items=40)
    z_users = 7 * unit(tastes[np.arange(60) % 2] + 0.05 * rng.normal(size=(60, 8)))
    z = Embeddings(torch.from_numpy(z_users).float(), torch.from_numpy(items).float())
    fitted = fit_fold_in(z, train)
    newcomer = np.zeros((2, 40), dtype=np.float32)
    newcomer[0, [0, 2, 4]] = newcomer[1, [1, 3]] = 1
    folded = fitted.map(pooled(csr_matrix(newcomer), items.astype(np.float32)))
    cosines = unit(folded) @ unit(tastes).T
    assert cosines[0, 0] > 0.9 > cosines[0, 1] + 0.4
    assert cosines[1, 1] > 0.9 > cosines[1, 0] + 0.4


def test_equal_worlds_give_equal_maps() -> None:
    X, Y = np.random.default_rng(7).normal(size=(2, 30, 4))
    one, other = fit_map(X, Y).map, fit_map(X, Y).map
    assert isinstance(one, Map)
    np.testing.assert_array_equal(one.W, other.W)
