"""L_rec on embeddings: gather the scores of a batch, hand them to a loss."""

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from services.recsys.data import Batch, Embeddings
from services.recsys.losses import bpr, sampled_softmax

RankingLoss = Literal["bpr", "sampled_softmax"]


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
