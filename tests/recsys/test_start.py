"""Starting vectors: the singular vectors of the graph, or small normal noise."""

import numpy as np
import pytest

from services.recsys.backbones import starting_vectors
from services.recsys.backbones.start import svd
from services.recsys.seeds import Seeds
from tests.recsys.planted import random_graph


def test_the_svd_start_rebuilds_the_normalised_matrix_up_to_a_scale() -> None:
    graph = random_graph(3, n_users=8, n_items=10, edges=40)
    R = graph.csr().toarray().astype(float)
    degrees = np.maximum(R.sum(1, keepdims=True), 1) * np.maximum(R.sum(0, keepdims=True), 1)
    target = R / np.sqrt(degrees)
    left, values, right = np.linalg.svd(target)
    best = (left[:, :4] * values[:4]) @ right[:4]
    X = svd(graph, d=4, rng=np.random.default_rng(1))
    found = X[:8] @ X[8:].T
    np.testing.assert_allclose(found / found.max(), best / best.max(), atol=1e-5)
    assert X.std() == pytest.approx(0.03)


def test_columns_beyond_the_rank_start_as_noise() -> None:
    X = svd(random_graph(3), d=20, rng=np.random.default_rng(1))
    assert X.shape == (16, 20)
    assert (np.abs(X[:, 6:]).sum(0) > 0).all()


def test_the_normal_start_has_standard_deviation_a_tenth() -> None:
    graph = random_graph(3, n_users=500, n_items=500)
    X = starting_vectors(graph, d=64, start="normal", seeds=Seeds(1))
    # five standard errors of a deviation from 64,000 numbers: 5 * .1 / sqrt(128000) = .0014
    assert abs(float(X.std()) - 0.1) < 0.0014


@pytest.mark.parametrize("start", ["normal", "svd"])
def test_one_seed_gives_one_start(start: str) -> None:
    graph = random_graph(3)
    first, again = (
        starting_vectors(graph, d=4, start=start, seeds=Seeds(5))  # type: ignore[arg-type]
        for _ in range(2)
    )
    assert first.tolist() == again.tolist()
