"""Backbones turn free vectors X and a graph into embeddings; they know no loss."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from services.recsys.adjacency import Adjacency
from services.recsys.backbones.start import normal, svd
from services.recsys.data import Embeddings, Interactions
from services.recsys.seeds import Seeds

Start = Literal["normal", "svd"]


class Backbone(nn.Module, ABC):
    """Trainable vectors X (N, d), users first, and the embeddings they make on a graph.

    The device is the graph's. `seeds` serve those with weights or a dropout of their own.
    """

    uses_graph: ClassVar[bool]

    def __init__(
        self,
        graph: Adjacency,
        X: Tensor,
        *,
        n_layers: int,
        seeds: Seeds | None = None,  # noqa: ARG002 - backbones are made alike; X is all they start from
    ) -> None:
        super().__init__()
        self.graph = graph
        self.n_layers = n_layers
        self.X = nn.Parameter(X.to(graph.offsets.device))

    @abstractmethod
    def embeddings(self, entries: Tensor) -> Embeddings:
        """Embeddings on the graph whose normalised entries (2E,) are given."""

    def at(
        self, entries: Tensor, *, users: Tensor, items: Tensor, z: Embeddings | None = None
    ) -> tuple[Embeddings, Embeddings]:
        """Embeddings of some users and items, none twice, and their rows of X: (n, d) a side.

        Their rows of `embeddings`, with the same gradient; `z` is those embeddings where they
        were computed before, outside the autograd graph.
        """
        del z  # of use to a backbone whose gradient needs no forward pass
        sides = (self.embeddings(entries), self.ego())
        first, second = (Embeddings(side.users[users], side.items[items]) for side in sides)
        return first, second

    def ego(self) -> Embeddings:
        """X itself: what the L2 term shrinks."""
        return self._halves(self.X)

    def _halves(self, nodes: Tensor) -> Embeddings:
        return Embeddings(nodes[: self.graph.n_users], nodes[self.graph.n_users :])


def starting_vectors(train: Interactions, *, d: int, start: Start, seeds: Seeds) -> Tensor:
    """X before the first step, from the root seed: (N, d) float32."""
    if start == "svd":
        return torch.from_numpy(svd(train, d=d, rng=seeds.numpy("start")))
    return normal(train.n_users + train.n_items, d=d, rng=seeds.torch("start"))
