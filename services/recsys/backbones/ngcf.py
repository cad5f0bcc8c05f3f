"""NGCF (Wang et al., SIGIR 2019, arXiv 1905.08108): weights and products in every layer."""

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn
from torch.autograd import Function

from services.recsys.adjacency import Adjacency
from services.recsys.backbones import Backbone
from services.recsys.data import Embeddings
from services.recsys.propagate import multiply
from services.recsys.seeds import Seeds

_SLOPE = 0.2  # of LeakyReLU where it leaks: the default of the authors' TensorFlow; not printed


class NGCF(Backbone):
    """E_l = LeakyReLU((Â + I) E_{l-1} W1 + Â E_{l-1} * E_{l-1} W2), E_0 = X (Eq. 7).

    The embeddings are E_0 | E_1 | ... | E_L side by side (Eq. 9): d (L + 1) wide. The weights are
    parameters like X. A training step drops each message of Eq. 6 with chance `p`, anew for every
    layer and every call; where no gradient is asked for, as in serving, every message arrives.
    """

    uses_graph = True
    p = 0.1  # of message dropout: the paper's choice

    def __init__(
        self, graph: Adjacency, X: Tensor, *, n_layers: int, seeds: Seeds | None = None
    ) -> None:
        super().__init__(graph, X, n_layers=n_layers)
        if seeds is None:
            raise ValueError("NGCF draws its weights and its dropout: it needs seeds")
        d, device = X.shape[1], self.X.device
        rng = seeds.torch("weights")
        self.W1 = nn.Parameter(_xavier(n_layers, d, rng=rng).to(device))  # (L, d, d)
        self.W2 = nn.Parameter(_xavier(n_layers, d, rng=rng).to(device))  # (L, d, d)
        self._rng = seeds.torch("messages", device=device)
        self._twin = twins(graph)

    def embeddings(self, entries: Tensor) -> Embeddings:
        """Embeddings on the graph whose normalised entries (2E,) are given."""
        drops = torch.is_grad_enabled() and self.p > 0
        layers: list[Tensor] = [self.X]
        for W1, W2 in zip(self.W1, self.W2, strict=True):
            layers.append(self._layer(layers[-1], entries, W1, W2, drops=drops))
        return self._halves(torch.cat(layers, dim=1))

    def _layer(self, E: Tensor, entries: Tensor, W1: Tensor, W2: Tensor, *, drops: bool) -> Tensor:
        """Eq. 3-6: a node's own message is W1 e_u, its neighbour's W1 e_i + W2 (e_i * e_u)."""
        own = E
        if drops:
            entries = entries * self._kept(len(entries))
            own = E * self._kept(len(E)).unsqueeze(1)
        heard: Tensor = _Heard.apply(E, entries, self.graph, self._twin)  # type: ignore[no-untyped-call] # torch's apply has no types
        # e_u is the same in all messages to u, so the product is taken once, after the sum
        return F.leaky_relu((heard + own) @ W1 + (heard * E) @ W2, _SLOPE)

    def _kept(self, n: int) -> Tensor:
        """1/(1 - p) for a message that arrives, 0 for one that falls: (n,)."""
        coins = torch.rand(n, generator=self._rng, device=self._rng.device)
        return torch.where(coins < self.p, 0.0, 1 / (1 - self.p))


def twins(graph: Adjacency) -> Tensor:
    """Where the entry of the same edge in the other direction stands: (2E,) int64."""
    pairs = torch.argsort(graph.entry_edge, stable=True).view(-1, 2)
    twin = torch.empty_like(graph.entry_edge)
    twin[pairs[:, 0]], twin[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    return twin


class _Heard(Function):
    """Â E, also where dropped messages made Â unsymmetric: its transpose carries the gradient."""

    @staticmethod
    def forward(ctx: Any, E: Tensor, entries: Tensor, graph: Adjacency, twin: Tensor) -> Tensor:  # noqa: ANN401 - torch gives no type for ctx
        ctx.operator = (graph, entries, twin)
        return multiply(graph, entries, E)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401 - as above
        graph, entries, twin = ctx.operator
        return multiply(graph, entries[twin], grads[0].contiguous()), None, None, None


def _xavier(n_layers: int, d: int, *, rng: torch.Generator) -> Tensor:
    """Glorot's uniform start, as the paper has it: (L, d, d)."""
    bound = math.sqrt(6 / (d + d))
    return (2 * torch.rand((n_layers, d, d), generator=rng) - 1) * bound
