"""Mean of the powers of Â over X by Horner's rule, with itself as its own gradient.

LightGCN (arXiv 2002.02126, matrix form, alpha_l = 1/(L+1)): E = 1/(L+1) * (X + ÂX + ... + Â^L X).
"""

from typing import Any

import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor
from torch.autograd import Function

from services.recsys.adjacency import Adjacency


def multiply(graph: Adjacency, entries: Tensor, X: Tensor) -> Tensor:
    """ÂX by one gather-and-sum pass over the CSR: (2E,), (N, d) -> (N, d)."""
    return F.embedding_bag(
        graph.neighbours,
        X,
        graph.offsets,
        mode="sum",
        per_sample_weights=entries,
        include_last_offset=True,
    )


def propagate(graph: Adjacency, entries: Tensor, X: Tensor, *, n_layers: int) -> Tensor:
    """LightGCN's layer mean: (2E,), (N, d) -> (N, d).

    `entries` come from `Adjacency.normalise` and get no gradient.
    """
    mean: Tensor = _LayerMean.apply(X, entries, graph, n_layers)  # type: ignore[no-untyped-call] # torch's apply has no types
    return mean


def _horner(graph: Adjacency, entries: Tensor, X: Tensor, n_layers: int) -> Tensor:
    """(I + Â(I + Â(...)))X / (L + 1): L products and no list of layers."""
    h = X
    for _ in range(n_layers):
        h = X + multiply(graph, entries, h)
    return h / (n_layers + 1)


class _LayerMean(Function):
    """Â is symmetric, so the Jacobian of the layer mean is the layer mean: nothing is saved."""

    @staticmethod
    def forward(ctx: Any, X: Tensor, entries: Tensor, graph: Adjacency, n_layers: int) -> Tensor:  # noqa: ANN401 - torch gives no type for ctx
        ctx.operator = (graph, entries, n_layers)
        return _horner(graph, entries, X, n_layers)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401 - as above
        graph, entries, n_layers = ctx.operator
        return _horner(graph, entries, grads[0], n_layers), None, None, None
