"""The normalised adjacency of one or more graphs, as weight vectors on one CSR.

LightGCN (arXiv 2002.02126, matrix form): Â = D^-1/2 A D^-1/2 over U + I nodes. G, G' and their
edge-dropped views differ only in which edges count how much, so the structure is built once
from the union of their edges and each of them is a vector of edge weights (E,).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from services.recsys.data import Interactions


@dataclass(frozen=True, eq=False)
class Adjacency:
    """Structure of a symmetric bipartite graph: N = U + I nodes, E edges, 2E entries."""

    neighbours: Tensor  # (2E,) int32, the column of each entry
    offsets: Tensor  # (N + 1,) int32, entries of node n lie at [offsets[n], offsets[n + 1])
    entry_edge: Tensor  # (2E,) int64, the undirected edge of each entry
    edge_users: Tensor  # (E,) int64
    edge_items: Tensor  # (E,) int64, counted from 0
    n_users: int
    n_items: int

    @classmethod
    def of(cls, edges: Interactions) -> "Adjacency":
        """The structure of these edges; the order of E is theirs."""
        n_nodes, count = edges.n_users + edges.n_items, len(edges)
        if 2 * count > np.iinfo(np.int32).max:
            raise ValueError(f"{count} edges do not fit an int32 CSR")
        # users see items in list order; items see users through a stable sort by item
        by_item = np.argsort(edges.items, kind="stable")
        neighbours = np.concatenate([edges.items + edges.n_users, edges.users[by_item]])
        degrees = np.concatenate([edges.user_degrees(), edges.item_degrees()])
        offsets = np.zeros(n_nodes + 1, dtype=np.int32)
        np.cumsum(degrees, out=offsets[1:])
        return cls(
            neighbours=torch.from_numpy(neighbours.astype(np.int32)),
            offsets=torch.from_numpy(offsets),
            entry_edge=torch.from_numpy(np.concatenate([np.arange(count), by_item])),
            edge_users=torch.from_numpy(edges.users),
            edge_items=torch.from_numpy(edges.items),
            n_users=edges.n_users,
            n_items=edges.n_items,
        )

    def to(self, device: torch.device | str) -> "Adjacency":
        """The same structure on another device."""
        return Adjacency(
            neighbours=self.neighbours.to(device),
            offsets=self.offsets.to(device),
            entry_edge=self.entry_edge.to(device),
            edge_users=self.edge_users.to(device),
            edge_items=self.edge_items.to(device),
            n_users=self.n_users,
            n_items=self.n_items,
        )

    def normalise(self, weights: Tensor) -> Tensor:
        """Â's entries for edge weights a_ui >= 0: a_ui / sqrt(d_u d_i), d the weighted degree.

        (E,) -> (2E,). A node whose edges all weigh 0 has a row of zeros.
        """
        users = weights.new_zeros(self.n_users).index_add_(0, self.edge_users, weights)
        items = weights.new_zeros(self.n_items).index_add_(0, self.edge_items, weights)
        scale = _inverse_root(users)[self.edge_users] * _inverse_root(items)[self.edge_items]
        return (weights * scale)[self.entry_edge]


def edge_weights(union: Interactions, graph: Interactions) -> Tensor:
    """A graph as a vector on the union's edges, 0 where it has no edge: (E,) float32."""
    at = union.locate(users=graph.users, items=graph.items)
    if np.any(at < 0):
        raise ValueError("the graph has edges outside the union")
    weights = np.zeros(len(union), dtype=np.float32)
    weights[at] = graph.values()
    return torch.from_numpy(weights)


def _inverse_root(degrees: Tensor) -> Tensor:
    return torch.where(degrees > 0, degrees.clamp_min(1e-12).rsqrt(), 0.0)
