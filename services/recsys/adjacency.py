"""The normalised adjacency of one or more graphs, as weight vectors on one CSR.

LightGCN (arXiv 2002.02126, matrix form): Â = D^-1/2 A D^-1/2 over U + I nodes. G, G' and their
edge-dropped views differ only in which edges count how much, so the structure is built once
from the union of their edges and each of them is a vector of edge weights (E,).
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csc_matrix
from torch import Tensor

from services.recsys.data import Interactions


@dataclass(frozen=True, eq=False)
class Rows:
    """R rows of Â in the order asked for, or the columns of such rows: a CSR of k entries."""

    neighbours: Tensor  # (k,) int32, the column of each entry
    offsets: Tensor  # (R + 1,) int32
    entries: Tensor  # (k,) the entries of Â
    n_columns: int

    def transposed(self) -> "Rows":
        """The same entries by column, each naming the place of its row among the R."""
        if self.entries.device.type != "cpu":
            return self.transposed_by_sorting()
        entries = self.entries
        if entries.dtype == torch.bfloat16:  # numpy has none; they are moved, not reckoned with
            entries = entries.view(torch.int16)
        parts = (entries.numpy(), self.neighbours.numpy(), self.offsets.numpy())
        # reading the rows as columns and asking for rows is a counting sort in C: O(k + N)
        flipped = csc_matrix(parts, shape=(self.n_columns, len(self.offsets) - 1)).tocsr()
        return Rows(
            neighbours=torch.from_numpy(flipped.indices),
            offsets=torch.from_numpy(flipped.indptr),
            entries=torch.from_numpy(flipped.data).view(self.entries.dtype),
            n_columns=len(self.offsets) - 1,
        )

    def transposed_by_sorting(self) -> "Rows":
        """`transposed` on any device."""
        counts = torch.diff(self.offsets)
        places = torch.arange(len(counts), dtype=torch.int32, device=counts.device)
        order = torch.argsort(self.neighbours, stable=True)
        degrees = torch.bincount(self.neighbours, minlength=self.n_columns)
        return Rows(
            neighbours=torch.repeat_interleave(places, counts)[order],
            offsets=_starts(degrees),
            entries=self.entries[order],
            n_columns=len(counts),
        )


@dataclass(frozen=True, eq=False)
class Adjacency:
    """Structure of a symmetric bipartite graph: N = U + I nodes, E edges, 2E entries."""

    neighbours: Tensor  # (2E,) int32, the column of each entry
    offsets: Tensor  # (N + 1,) int32, entries of node n lie at [offsets[n], offsets[n + 1])
    by_item: Tensor  # (E,) int64, the edges in the order of the items' entries
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
            by_item=torch.from_numpy(by_item),
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
            by_item=self.by_item.to(device),
            edge_users=self.edge_users.to(device),
            edge_items=self.edge_items.to(device),
            n_users=self.n_users,
            n_items=self.n_items,
        )

    @property
    def n_nodes(self) -> int:
        """N = U + I."""
        return self.n_users + self.n_items

    @property
    def entry_edge(self) -> Tensor:
        """The undirected edge of each entry: (2E,) int64."""
        return torch.cat(
            [torch.arange(len(self.by_item), device=self.by_item.device), self.by_item]
        )

    def rows(self, entries: Tensor, nodes: Tensor) -> Rows:
        """The rows of these nodes: (2E,), (R,) int64 -> R rows."""
        first = self.offsets[nodes].long()
        counts = self.offsets[nodes + 1] - first
        offsets = _starts(counts)
        shifts = torch.repeat_interleave(first - offsets[:-1], counts)
        at = torch.arange(len(shifts), device=nodes.device).add_(shifts)
        return Rows(
            neighbours=self.neighbours.index_select(0, at),
            offsets=offsets,
            entries=entries.index_select(0, at),
            n_columns=self.n_nodes,
        )

    def normalise(self, weights: Tensor) -> Tensor:
        """Â's entries for edge weights a_ui >= 0: a_ui / sqrt(d_u d_i), d the weighted degree.

        (E,) -> (2E,). A node whose edges all weigh 0 has a row of zeros.
        """
        users = weights.new_zeros(self.n_users).index_add_(0, self.edge_users, weights)
        items = weights.new_zeros(self.n_items).index_add_(0, self.edge_items, weights)
        # index_select, here and below: a quarter of the time of weights[index]
        scale = _inverse_root(users).index_select(0, self.edge_users)
        scale *= _inverse_root(items).index_select(0, self.edge_items)
        scale *= weights
        return torch.cat([scale, scale.index_select(0, self.by_item)])


def _starts(counts: Tensor) -> Tensor:
    """Return where each of the counted groups begins, and the end: (R,) -> (R + 1,) int32."""
    starts = torch.zeros(len(counts) + 1, dtype=torch.int32, device=counts.device)
    starts[1:] = torch.cumsum(counts, 0)
    return starts


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
