"""What the training loop asks of a method: pairs, a loss on a batch of them, vectors to serve."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from services.recsys.data import Batch, Embeddings, Interactions


@dataclass(frozen=True, eq=False)
class Loss:
    """Weighted terms that sum to the objective, and the recommendation loss of each pair."""

    parts: dict[str, Tensor]  # each ()
    pairs: Tensor  # (B,), outside the autograd graph

    def total(self) -> Tensor:
        """The objective: ()."""
        return torch.stack(list(self.parts.values())).sum()


class Method(nn.Module, ABC):
    """One paper. It is made on its device and stays there."""

    pairs: Interactions  # what an epoch goes through once; weights scale each pair's loss
    device: torch.device
    step: int = 0  # the loop's: which batch of the epoch, however often `loss` is called for it

    @abstractmethod
    def loss(self, batch: Batch, epoch: int) -> Loss:
        """The objective on a batch of `pairs`; epochs count from 0."""

    @abstractmethod
    def served(self) -> dict[str, Embeddings]:
        """Vectors by the graph they come from, outside autograd; the first wins a tie."""
