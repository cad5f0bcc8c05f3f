"""Edge drop: whole edges fall, at the named rate, and Â is normalised anew."""

import numpy as np
import pytest
import torch

from services.recsys.adjacency import Adjacency
from services.recsys.augment import drop_edges
from services.recsys.seeds import Seeds
from tests.recsys.planted import random_graph, triples
from tests.recsys.test_adjacency import dense
from tests.spec import slow_graph


def views(device: torch.device) -> torch.Generator:
    return Seeds(1).torch("views", device=device)


def test_a_view_is_the_adjacency_of_the_edges_that_stay(device: torch.device) -> None:
    edges = random_graph(3, weighted=True)
    graph = Adjacency.of(edges).to(device)
    weights = torch.from_numpy(edges.values()).to(device)
    view = drop_edges(weights, rho=0.4, rng=views(device))
    kept = edges.where((view > 0).cpu().numpy())
    assert 0 < len(kept) < len(edges)
    expected = slow_graph.normalised(triples(kept), n_users=7, n_items=9)
    np.testing.assert_allclose(dense(graph, graph.normalise(view)), expected, atol=1e-6)


def test_the_share_of_fallen_edges_is_rho(device: torch.device) -> None:
    weights = torch.ones(100_000, device=device)
    fallen = (drop_edges(weights, rho=0.2, rng=views(device)) == 0).float().mean()
    # five standard deviations of a binomial: 5 * sqrt(.2 * .8 / 1e5) = .0063
    assert abs(float(fallen) - 0.2) < 0.0063


def test_edges_that_stay_keep_their_weights(device: torch.device) -> None:
    weights = torch.tensor([0.25, 0.5, 0.75], device=device).repeat(50)
    view = drop_edges(weights, rho=0.5, rng=views(device))
    assert torch.equal(view[view > 0], weights[view > 0])


def test_a_view_without_edges_is_refused() -> None:
    with pytest.raises(ValueError, match="rho"):
        drop_edges(torch.ones(2), rho=1.0, rng=views(torch.device("cpu")))
