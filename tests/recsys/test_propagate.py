"""LightGCN's layer mean against powers of Â, and its gradient against finite differences."""

import numpy as np
import pytest
import torch

from services.recsys.adjacency import Adjacency
from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.backbones.mf import MF
from services.recsys.data import Interactions
from services.recsys.propagate import multiply, propagate, propagate_rows
from tests.recsys.planted import random_graph, triples, vectors
from tests.spec import slow_graph


@pytest.mark.parametrize("n_layers", [0, 1, 2, 3])
def test_lightgcn_is_the_mean_of_the_powers_of_the_adjacency(
    n_layers: int, device: torch.device
) -> None:
    edges = random_graph(4, weighted=True)
    graph = Adjacency.of(edges).to(device)
    X = vectors(1, edges.n_users + edges.n_items, 3).float()
    model = LightGCN(graph, X, n_layers=n_layers)
    z = model.embeddings(graph.normalise(torch.from_numpy(edges.values()).to(device)))
    matrix = slow_graph.normalised(triples(edges), n_users=edges.n_users, n_items=edges.n_items)
    expected = slow_graph.layer_mean(matrix, X.tolist(), n_layers=n_layers)
    found = torch.cat([z.users, z.items]).detach().cpu().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_user_and_one_item_swap_vectors_layer_by_layer(device: torch.device) -> None:
    edges = Interactions.build(users=[0], items=[0], n_users=1, n_items=1)
    graph = Adjacency.of(edges).to(device)
    X = torch.tensor([[3.0], [12.0]], device=device)
    # layers: 3, 12, 3 for the user; 12, 3, 12 for the item
    assert propagate(graph, graph.normalise(torch.ones_like(X[0])), X, n_layers=2).tolist() == [
        [6],
        [9],
    ]


def test_the_gradient_agrees_with_finite_differences(device: torch.device) -> None:
    edges = random_graph(5)
    graph = Adjacency.of(edges).to(device)
    entries = graph.normalise(torch.ones(len(edges), dtype=torch.float64, device=device))
    X = vectors(2, edges.n_users + edges.n_items, 2).to(device).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: propagate(graph, entries, x, n_layers=3), (X,))


def test_the_gradient_equals_autograds_through_every_layer(device: torch.device) -> None:
    edges = random_graph(6, weighted=True)
    graph = Adjacency.of(edges).to(device)
    entries = graph.normalise(torch.from_numpy(edges.values()).to(device)).double()
    X = vectors(3, edges.n_users + edges.n_items, 4).to(device).requires_grad_()
    pull = vectors(4, *X.shape).to(device)
    h, layers = X, [X]
    for _ in range(2):
        h = multiply(graph, entries, h)
        layers.append(h)
    (plain,) = torch.autograd.grad(torch.stack(layers).mean(0), X, pull)
    (own,) = torch.autograd.grad(propagate(graph, entries, X, n_layers=2), X, pull)
    torch.testing.assert_close(own, plain, rtol=0, atol=1e-12)


def test_an_edge_of_weight_nothing_carries_nothing(device: torch.device) -> None:
    edges = Interactions.build(users=[0, 0], items=[0, 1], n_users=1, n_items=2)
    graph = Adjacency.of(edges).to(device)
    entries = graph.normalise(torch.tensor([1.0, 0.0], device=device))
    X = torch.tensor([[1.0], [2.0], [100.0]], device=device)
    assert multiply(graph, entries, X).tolist() == [[2.0], [1.0], [0.0]]


def test_mf_serves_its_vectors_whatever_the_graph(device: torch.device) -> None:
    graph = Adjacency.of(random_graph(1)).to(device)
    X = vectors(5, 16, 2).float()
    z = MF(graph, X, n_layers=2).embeddings(torch.zeros(0))
    assert torch.equal(torch.cat([z.users, z.items]).cpu(), X)


NODES = torch.tensor([12, 0, 3, 9])


@pytest.mark.parametrize("n_layers", [0, 1, 2, 3])
def test_some_rows_are_the_layer_mean_at_these_nodes(n_layers: int, device: torch.device) -> None:
    edges = random_graph(4, weighted=True)
    graph = Adjacency.of(edges).to(device)
    X = vectors(1, edges.n_users + edges.n_items, 3).float().to(device)
    matrix = slow_graph.normalised(triples(edges), n_users=edges.n_users, n_items=edges.n_items)
    expected = np.array(slow_graph.layer_mean(matrix, X.tolist(), n_layers=n_layers))
    entries = graph.normalise(torch.from_numpy(edges.values()).to(device))
    z, ego = propagate_rows(graph, entries, X, NODES.to(device), n_layers=n_layers)
    np.testing.assert_allclose(z.cpu(), expected[NODES.numpy()], atol=1e-6)
    assert torch.equal(ego, X[NODES])


@pytest.mark.parametrize("n_layers", [0, 1, 3])
def test_the_gradient_of_some_rows_agrees_with_finite_differences(
    n_layers: int, device: torch.device
) -> None:
    edges = random_graph(5)
    graph = Adjacency.of(edges).to(device)
    entries = graph.normalise(torch.ones(len(edges), dtype=torch.float64, device=device))
    X = vectors(2, edges.n_users + edges.n_items, 2).to(device).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: propagate_rows(graph, entries, x, NODES.to(device), n_layers=n_layers), (X,)
    )


@pytest.mark.parametrize("forward", ["computed", "known"])
def test_a_loss_on_some_rows_has_the_gradient_that_autograd_finds_through_all(
    forward: str, device: torch.device
) -> None:
    edges = random_graph(6, weighted=True)
    graph = Adjacency.of(edges).to(device)
    entries = graph.normalise(torch.from_numpy(edges.values()).to(device))
    X = vectors(3, edges.n_users + edges.n_items, 4).float().to(device).requires_grad_()
    h, layers = X, [X]
    for _ in range(3):
        h = multiply(graph, entries, h)
        layers.append(h)
    whole = torch.stack(layers).mean(0)
    pull = vectors(4, len(NODES), 4).float().to(device)
    (plain,) = torch.autograd.grad((whole[NODES] * pull).sum() + X[NODES].square().sum(), X)
    rows = whole.detach()[NODES] if forward == "known" else None
    z, ego = propagate_rows(graph, entries, X, NODES.to(device), n_layers=3, known=rows)
    (own,) = torch.autograd.grad((z * pull).sum() + ego.square().sum(), X)
    torch.testing.assert_close(own, plain, rtol=0, atol=1e-6)


@pytest.mark.parametrize("backbone", [LightGCN, MF])
def test_rows_of_a_backbone_are_its_embeddings_and_free_vectors(
    backbone: type[LightGCN] | type[MF], device: torch.device
) -> None:
    edges = random_graph(4)
    graph = Adjacency.of(edges).to(device)
    entries = graph.normalise(torch.ones(len(edges), device=device))
    model = backbone(graph, vectors(1, graph.n_nodes, 3).float().to(device), n_layers=2)
    users = torch.tensor([5, 0], device=device)
    items = torch.tensor([8, 2, 3], device=device)
    z, X = model.at(entries, users=users, items=items)
    whole, ego = model.embeddings(entries), model.ego()
    torch.testing.assert_close(z.users, whole.users[users])
    torch.testing.assert_close(z.items, whole.items[items])
    assert torch.equal(X.users, ego.users[users])
    assert torch.equal(X.items, ego.items[items])


@pytest.mark.parametrize("n_layers", [1, 3])
def test_products_in_bf16_give_nearly_the_same_rows_and_gradient(
    n_layers: int, device: torch.device
) -> None:
    edges = random_graph(6, weighted=True)
    graph = Adjacency.of(edges).to(device)
    entries = graph.normalise(torch.from_numpy(edges.values()).to(device))
    X = vectors(3, graph.n_nodes, 4).float().to(device).requires_grad_()
    pull = vectors(4, len(NODES), 4).float().to(device)
    found = []
    for weights in (entries, entries.bfloat16()):
        z, _ = propagate_rows(graph, weights, X, NODES.to(device), n_layers=n_layers)
        found.append((z, *torch.autograd.grad((z * pull).sum(), X)))
    for exact, near in zip(*found, strict=True):
        assert near.dtype == torch.float32
        # a bf16 keeps 8 bits
        torch.testing.assert_close(near, exact, rtol=0, atol=0.03)
        assert not torch.equal(near, exact)
