"""The leading singular vectors where the rank is exhausted: no chance, no error, no noise."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from services.recsys.backbones.start import svd
from services.recsys.closed_forms import GfCf
from services.recsys.data import Interactions
from services.recsys.evidence import low_rank
from services.recsys.plausibility import plausibility
from services.recsys.spectrum import leading
from tests.recsys.planted import random_graph

SPARSE = random_graph(1, n_users=300, n_items=300, edges=20)  # of rank 20 at most


@pytest.mark.parametrize("shape", [(60, 40), (40, 60), (50, 50)])
def test_the_leading_triplets_are_those_of_the_dense_svd(shape: tuple[int, int]) -> None:
    R = random_graph(2, n_users=shape[0], n_items=shape[1], edges=500).csr()
    left, values, right = leading(R, 5)
    U, S, V = np.linalg.svd(R.toarray())
    np.testing.assert_allclose(values, S[:5], rtol=1e-5)
    np.testing.assert_allclose((left * values) @ right, (U[:, :5] * S[:5]) @ V[:5], atol=1e-5)


def test_a_matrix_gives_no_more_triplets_than_it_has_rank() -> None:
    R = SPARSE.csr()
    left, values, right = leading(R, 64)
    assert len(values) == np.linalg.matrix_rank(R.toarray())
    np.testing.assert_allclose((left * values) @ right, R.toarray(), atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 3), (1, 4), (4, 1)])
def test_nothing_has_no_triplet(shape: tuple[int, int]) -> None:
    left, values, right = leading(csr_matrix(shape, dtype=np.float32), 2)
    assert (left.shape, values.shape, right.shape) == ((shape[0], 0), (0,), (0, shape[1]))


def test_a_graph_of_little_rank_has_one_plausibility_one_start_and_one_low_pass() -> None:
    everyone = np.arange(300)
    twice = [
        (
            plausibility(SPARSE, vectors=None, rng=np.random.default_rng(0)).tobytes(),
            svd(SPARSE, d=64, rng=np.random.default_rng(0)).tobytes(),
            GfCf().fit(SPARSE).score_block(everyone).tobytes(),
        )
        for _ in range(2)
    ]
    assert twice[0] == twice[1]


def test_one_edge_in_a_large_graph_is_enough_for_all_of_them() -> None:
    alone = Interactions.build(users=[7], items=[9], n_users=300, n_items=300)
    rng = np.random.default_rng(0)
    pair = {"users": alone.users, "items": alone.items}
    assert low_rank(alone, **pair, rng=rng).tolist() == [[0.0, 0.0]]  # nothing is left without it
    assert np.isfinite(plausibility(alone, vectors=None, rng=rng)).all()
    X = svd(alone, d=8, rng=rng)
    assert np.isfinite(X).all()
    assert (X.std(axis=0) > 0).all()
    assert np.isfinite(GfCf().fit(alone).score_block(np.arange(300))).all()


def test_the_start_of_a_graph_without_edges_is_noise() -> None:
    nobody = Interactions.build(users=[], items=[], n_users=5, n_items=4)
    X = svd(nobody, d=3, rng=np.random.default_rng(0))
    assert X.shape == (9, 3)
    assert (X.std(axis=0) > 0).all()
