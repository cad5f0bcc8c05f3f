"""L_rec on embeddings: gather the scores of a batch, hand them to a loss."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from services.recsys.data import Batch, Embeddings
from services.recsys.losses import bpr, l2, sampled_softmax

RankingLoss = Literal["bpr", "sampled_softmax"]


@dataclass(frozen=True, eq=False)
class Met:
    """The users and items that a loss reads, none twice, and the batch in their numbers."""

    users: Tensor  # (u,) ascending
    items: Tensor  # (i,) ascending
    batch: Batch  # its users count within (u,), its items within (i,)
    others: tuple[Tensor, ...]  # further items, within (i,), in the order given

    @classmethod
    def of(cls, batch: Batch, *others: Tensor) -> "Met":
        """Whom a batch meets, with further vectors of items such as negatives."""
        users, u = torch.unique(batch.users, return_inverse=True)
        listed = (batch.items, *others)
        items, places = torch.unique(torch.cat(listed), return_inverse=True)
        own, *rest = torch.split(places, [len(some) for some in listed])
        return cls(users, items, Batch(u, own, batch.weights), tuple(rest))


def scoring(z: Embeddings, *, loss: RankingLoss, tau: float) -> Embeddings:
    """Vectors whose dot product is the score the loss trains.

    BPR trains the dot product itself, the softmax cos(z_u, z_i) / tau: (U, d), (I, d) both.
    """
    if loss == "bpr":
        return z
    return Embeddings(F.normalize(z.users, dim=1) / tau, F.normalize(z.items, dim=1))


def bpr_pairs(z: Embeddings, batch: Batch, negatives: Tensor) -> Tensor:
    """BPR on dot products against one negative (B,) per pair: -> (B,)."""
    positive = z.pairs(users=batch.users, items=batch.items)
    return bpr(positive=positive, negative=z.pairs(users=batch.users, items=negatives))


def softmax_pairs(
    z: Embeddings,
    batch: Batch,
    shared: tuple[Tensor, Tensor],
    *,
    tau: float,
    hard: Tensor | None = None,
) -> Tensor:
    """Sampled softmax on cosines against shared negatives (S,), their `wrong` (B, S): -> (B,).

    `hard` (B,) adds to each pair one negative of its own.
    """
    items, wrong = shared
    # gathered first, normalised then: cheaper than normalising every node
    users = F.normalize(z.users[batch.users], dim=1)
    positive = (users * F.normalize(z.items[batch.items], dim=1)).sum(1)
    negative = users @ F.normalize(z.items[items], dim=1).T
    if hard is not None:
        own = (users * F.normalize(z.items[hard], dim=1)).sum(1, keepdim=True)
        negative, wrong = torch.cat([negative, own], dim=1), F.pad(wrong, (0, 1), value=False)
    return sampled_softmax(positive=positive, negative=negative, tau=tau, wrong=wrong)


def shrinkage(X: Embeddings, batch: Batch, *, lambda_reg: float) -> Tensor:
    """lambda_reg times the L2 term over a batch's rows of X: -> ()."""
    if not lambda_reg:
        return X.users.new_zeros(())
    return lambda_reg * l2(
        X.users.index_select(0, batch.users), X.items.index_select(0, batch.items)
    )
