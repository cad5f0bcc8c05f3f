"""Â against edge-by-edge Python, for one graph and for two on a shared structure."""

import numpy as np
import pytest
import torch
from torch import Tensor

from services.recsys.adjacency import Adjacency, edge_weights
from services.recsys.data import Interactions
from tests.recsys.planted import random_graph, triples
from tests.spec import slow_graph


def dense(graph: Adjacency, entries: Tensor) -> np.ndarray:
    """The matrix that the CSR and these entries stand for."""
    n = graph.n_users + graph.n_items
    matrix = np.zeros((n, n))
    for row in range(n):
        for at in range(int(graph.offsets[row]), int(graph.offsets[row + 1])):
            matrix[row, int(graph.neighbours[at])] += float(entries[at])
    return matrix


def slow(graph: Interactions) -> np.ndarray:
    return np.array(
        slow_graph.normalised(triples(graph), n_users=graph.n_users, n_items=graph.n_items)
    )


@pytest.mark.parametrize("seed", range(3))
def test_weighted_entries_equal_slow_python(seed: int, device: torch.device) -> None:
    edges = random_graph(seed, weighted=True)
    graph = Adjacency.of(edges).to(device)
    entries = graph.normalise(torch.from_numpy(edges.values()).to(device))
    np.testing.assert_allclose(dense(graph, entries), slow(edges), atol=1e-6)


def test_two_graphs_on_their_union_equal_each_on_its_own(device: torch.device) -> None:
    first, second = random_graph(1), random_graph(2, weighted=True)
    union = first.union(second)
    graph = Adjacency.of(union).to(device)
    for own in (first, second):
        entries = graph.normalise(edge_weights(union, own).to(device))
        np.testing.assert_allclose(dense(graph, entries), slow(own), atol=1e-6)


def test_a_path_of_two_edges_by_hand(device: torch.device) -> None:
    # user 0 - item 0 - user 1: degrees 1, 2, 1, so every entry is 1 / sqrt(2)
    edges = Interactions.build(users=[0, 1], items=[0, 0], n_users=2, n_items=1)
    graph = Adjacency.of(edges).to(device)
    expected = np.sqrt(0.5) * np.array([[0, 0, 1], [0, 0, 1], [1, 1, 0]])
    np.testing.assert_allclose(
        dense(graph, graph.normalise(torch.ones(2, device=device))), expected, atol=1e-7
    )


def test_nodes_whose_edges_all_weigh_nothing_have_rows_of_zeros(device: torch.device) -> None:
    graph = Adjacency.of(random_graph(1)).to(device)
    entries = graph.normalise(torch.zeros(len(graph.edge_users), device=device))
    assert entries.tolist() == [0.0] * (2 * len(graph.edge_users))


def test_a_graph_outside_the_union_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the union"):
        edge_weights(random_graph(1), random_graph(2))


def test_some_rows_are_the_matrix_at_these_nodes_in_the_order_asked_for() -> None:
    edges = random_graph(3, weighted=True)
    graph = Adjacency.of(edges)
    entries = graph.normalise(torch.from_numpy(edges.values()))
    nodes = torch.tensor([11, 0, 6, 3])  # node 6 has no edge
    found = graph.rows(entries, nodes)
    matrix = np.zeros((4, graph.n_nodes))
    for row in range(4):
        for at in range(int(found.offsets[row]), int(found.offsets[row + 1])):
            matrix[row, int(found.neighbours[at])] += float(found.entries[at])
    np.testing.assert_array_equal(matrix, dense(graph, entries)[nodes])


@pytest.mark.parametrize("by", ["transposed", "transposed_by_sorting"])
def test_rows_read_by_column_are_the_transposed_matrix(by: str) -> None:
    edges = random_graph(3, weighted=True)
    graph = Adjacency.of(edges)
    entries = graph.normalise(torch.from_numpy(edges.values()))
    nodes = torch.tensor([11, 0, 6, 3])
    found = getattr(graph.rows(entries, nodes), by)()
    matrix = np.zeros((graph.n_nodes, 4))
    for column in range(graph.n_nodes):
        for at in range(int(found.offsets[column]), int(found.offsets[column + 1])):
            matrix[column, int(found.neighbours[at])] += float(found.entries[at])
    np.testing.assert_array_equal(matrix.T, dense(graph, entries)[nodes])


def test_no_rows_are_a_matrix_without_entries() -> None:
    graph = Adjacency.of(random_graph(3))
    found = graph.rows(torch.ones(2 * len(graph.edge_users)), torch.zeros(0, dtype=torch.int64))
    assert (len(found.entries), found.offsets.tolist()) == (0, [0])
    assert found.transposed().offsets.tolist() == [0] * (graph.n_nodes + 1)
