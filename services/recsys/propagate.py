"""Mean of the powers of Â over X, of all rows or of some, with itself as its own gradient.

LightGCN (arXiv 2002.02126, matrix form, alpha_l = 1/(L+1)): E = 1/(L+1) * (X + ÂX + ... + Â^L X).
The whole of E is made by Horner's rule. A loss reads a few of its rows: for them the powers are
summed up, the last one's product made for these rows alone. Its gradient starts at the same rows,
so the first product of the way back is made from them alone, and Horner's rule does the rest.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor
from torch.autograd import Function

from services.recsys.adjacency import Adjacency, Rows


def multiply(graph: Adjacency, entries: Tensor, X: Tensor) -> Tensor:
    """ÂX by one gather-and-sum pass over the CSR: (2E,), (N, d) -> (N, d)."""
    return _bags(graph.neighbours, graph.offsets, entries, X)


def multiply_rows(rows: Rows, X: Tensor) -> Tensor:
    """Some rows of ÂX: (N, d) -> (R, d)."""
    return _bags(rows.neighbours, rows.offsets, rows.entries, X)


def multiply_from(rows: Rows, G: Tensor) -> Tensor:
    """ÂG for a G that is 0 outside some rows, whose values are given: (R, d) -> (N, d)."""
    columns = rows.transposed()
    return _bags(columns.neighbours, columns.offsets, columns.entries, G)


def propagate(graph: Adjacency, entries: Tensor, X: Tensor, *, n_layers: int) -> Tensor:
    """LightGCN's layer mean: (2E,), (N, d) -> (N, d).

    `entries` come from `Adjacency.normalise` and get no gradient.
    """
    mean: Tensor = _LayerMean.apply(X, entries, graph, n_layers)  # type: ignore[no-untyped-call] # torch's apply has no types
    return mean


def propagate_rows(
    graph: Adjacency,
    entries: Tensor,
    X: Tensor,
    nodes: Tensor,
    *,
    n_layers: int,
    known: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Rows of the layer mean and of X, nodes (R,) without repetition: both (R, d).

    `known` are the rows of the layer mean (R, d) where somebody has them already, such as a
    sampler: then only the gradient is computed. The products are made in the precision of the
    entries, such as bf16; rows and gradient come out in X's.
    """
    rows = graph.rows(entries, nodes)
    found: tuple[Tensor, Tensor] = _RowsOfLayerMean.apply(  # type: ignore[no-untyped-call] # as above
        X, known, nodes, rows, (graph, entries, n_layers)
    )
    return found


def _bags(neighbours: Tensor, offsets: Tensor, entries: Tensor, X: Tensor) -> Tensor:
    return F.embedding_bag(
        neighbours,
        X,
        offsets,
        mode="sum",
        per_sample_weights=entries,
        include_last_offset=True,
    )


def _horner(graph: Adjacency, entries: Tensor, X: Tensor, n_layers: int) -> Tensor:
    """(I + Â(I + Â(...)))X: L products and no list of layers."""
    X = X.detach()  # for a leaf that trains, embedding_bag would note down what only it needs
    h = X
    for _ in range(n_layers):
        h = multiply(graph, entries, h).add_(X)
    return h


class _LayerMean(Function):
    """Â is symmetric, so the Jacobian of the layer mean is the layer mean: nothing is saved."""

    @staticmethod
    def forward(ctx: Any, X: Tensor, entries: Tensor, graph: Adjacency, n_layers: int) -> Tensor:  # noqa: ANN401 - torch gives no type for ctx
        ctx.operator = (graph, entries, n_layers)
        return _horner(graph, entries, X, n_layers) / (n_layers + 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401 - as above
        graph, entries, n_layers = ctx.operator
        return _horner(graph, entries, grads[0], n_layers) / (n_layers + 1), None, None, None


class _RowsOfLayerMean(Function):
    """S(X + ÂX + ... + Â^L X)/(L + 1) and SX; S is the choice of rows."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch gives no type for ctx
        X: Tensor,
        known: Tensor | None,
        nodes: Tensor,
        rows: Rows,
        operator: tuple[Adjacency, Tensor, int],
    ) -> tuple[Tensor, Tensor]:
        ctx.nodes, ctx.rows, ctx.operator = nodes, rows, operator
        graph, entries, n_layers = operator
        ego = X.index_select(0, nodes)
        if known is not None:
            return known.clone(), ego
        if not n_layers:
            return ego.clone(), ego
        power, total = X.detach().to(entries.dtype), ego.clone()
        # powers, not Horner's rule: the sum is made of the rows alone
        for _ in range(n_layers - 1):
            power = multiply(graph, entries, power)
            total.add_(power.index_select(0, nodes))
        return total.add_(multiply_rows(rows, power)).div_(n_layers + 1), ego

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:  # noqa: ANN401 - as above
        graph, entries, n_layers = ctx.operator
        G, of_ego = grads[0] / (n_layers + 1), grads[1]
        pull = G.to(entries.dtype)
        if n_layers:
            h = multiply_from(ctx.rows, pull)
        else:
            h = torch.zeros((graph.n_nodes, G.shape[1]), dtype=G.dtype, device=G.device)
        for _ in range(n_layers - 1):
            h = multiply(graph, entries, h.index_add_(0, ctx.nodes, pull))
        return h.to(G.dtype).index_add_(0, ctx.nodes, G + of_ego), None, None, None, None
