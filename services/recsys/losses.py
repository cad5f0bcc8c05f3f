"""Scores in, one loss per anchor or a scalar out; each docstring is the equation."""

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor


def bpr(*, positive: Tensor, negative: Tensor) -> Tensor:
    """-ln sigmoid(y_ui - y_uj) per pair (BPR, arXiv 1205.2618; LLMHNI Eq. 11): (B,) -> (B,)."""
    return F.softplus(negative - positive)


def sampled_softmax(*, positive: Tensor, negative: Tensor, tau: float, wrong: Tensor) -> Tensor:
    """-ln( e^{s_ui/tau} / (e^{s_ui/tau} + sum_j e^{s_uj/tau}) ) per pair.

    Sampled softmax with shared negatives (Wu et al., arXiv 2201.02327).
    positive (B,), negative (B, S), wrong (B, S) bool: negatives that are positives -> (B,).
    """
    others = (negative / tau).masked_fill(wrong, -torch.inf)
    logits = torch.cat([positive.unsqueeze(1) / tau, others], dim=1)
    return torch.logsumexp(logits, dim=1) - logits[:, 0]


def infonce_in_batch(
    *, anchors: Tensor, positives: Tensor, tau: float, same: Tensor | None = None
) -> Tensor:
    """-ln( e^{c(a_k,p_k)/tau} / sum_l e^{c(a_k,p_l)/tau} ) per anchor, c the cosine.

    InfoNCE (arXiv 1807.03748, Eq. 4) in the form of LLMHNI Eq. 18-22; the other anchors'
    positives are the negatives. anchors, positives (B, d); same (B,) int64 names the positives,
    and two of one name are no negatives of each other -> (B,).
    """
    logits = F.normalize(anchors, dim=1) @ F.normalize(positives, dim=1).T / tau
    own = logits.diagonal()
    if same is not None:
        twins = same.unsqueeze(0) == same.unsqueeze(1)
        twins.fill_diagonal_(False)
        logits = logits.masked_fill(twins, -torch.inf)
    return torch.logsumexp(logits, dim=1) - own


def l2(*vectors: Tensor) -> Tensor:
    """1/(2B) * sum ||x||^2 over vectors of B rows each (LightGCN's code): (B, d)... -> ()."""
    total = torch.stack([v.square().sum() for v in vectors]).sum()
    return total / (2 * vectors[0].shape[0])


def weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean sum w_k l_k / sum w_k: (B,), (B,) -> ()."""
    return (losses * weights).sum() / weights.sum()
