"""Scores in, one loss per anchor or a scalar out; each docstring is the equation."""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor
from torch.autograd import Function

_TIGHT = 1 / 40
"""Below this temperature a row's largest logit is taken out before the exponentials.

Not for e^{1/tau}, which float32 holds as far as tau = 1/88: the shares e^{-1/tau} / e^{1/tau} of
which gradients are made must survive, too, and at 1/40 they are 2e-35 where float32 ends at 1e-38.
"""


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


def infonce(
    *,
    anchors: Tensor,
    positives: Tensor,
    tau: float,
    pairs: tuple[Tensor, Tensor] | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """-ln( e^{c(a_k,p_k)/tau} / sum_l e^{c(a_k,p_l)/tau} ) per pair, c the cosine.

    InfoNCE (arXiv 1807.03748, Eq. 4) in the form of LLMHNI Eq. 18-22; the other pairs' positives
    are the negatives, and two of one positive are no negatives of each other.

    Anchors (A, d) and positives (P, d) are told apart beforehand; pairs name each loss's anchor
    within (A,) and positive within (P,), None for the k-th with the k-th -> (B,). The sum over the
    batch is made once an anchor: a positive of c pairs counts c times in it, and once for those
    pairs themselves. With `dtype` bfloat16 the (A, P) array and its products are made in that, the
    rest is not; None is the anchors' own.

    Raises ValueError for another dtype.
    """
    a, p = F.normalize(anchors, dim=1), F.normalize(positives, dim=1)
    if dtype not in {None, a.dtype, torch.bfloat16}:
        raise ValueError(f"dtype must be {a.dtype}, as the anchors are, or bfloat16, not {dtype}")
    coarse = dtype or a.dtype
    if pairs is None:
        return _log_sum_exp(a, p, tau, torch.ones_like(p[:, 0]), coarse) - (a * p).sum(1) / tau
    rows, columns = pairs
    counts = torch.bincount(columns, minlength=len(p)).to(p.dtype)
    own = (a.index_select(0, rows) * p.index_select(0, columns)).sum(1) / tau
    gap = _log_sum_exp(a, p, tau, counts, coarse).index_select(0, rows) - own
    twins = counts.index_select(0, columns) - 1
    # own is at most a share 1 / (twins + 1) of the sum: beyond is rounding, and a loss below 0 too
    others = (twins * (-gap).exp()).clamp(max=twins / (twins + 1))
    return (gap + torch.log1p(-others)).clamp_min(0)


def _log_sum_exp(a: Tensor, p: Tensor, tau: float, counts: Tensor, dtype: torch.dtype) -> Tensor:
    every: Tensor = _LogSumExp.apply(a, p, tau, counts, dtype)  # type: ignore[no-untyped-call] # torch's apply has no types
    return every


class _LogSumExp(Function):
    """ln sum_l c_l e^{<a_k, p_l>/tau} by row: (A, d), (P, d) -> (A,), one (A, P) array kept."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch gives no type for ctx
        a: Tensor,
        p: Tensor,
        tau: float,
        counts: Tensor,
        dtype: torch.dtype,
    ) -> Tensor:
        sharp, points = (a / tau).to(dtype), p.to(dtype)
        odds = torch.mm(sharp, points.T)
        top = odds.new_zeros(())
        if tau < _TIGHT:  # e^{1/tau} of a cosine is within float32 otherwise: two passes are saved
            top = odds.amax(1)
            odds.sub_(top.unsqueeze(1))
        total = (odds.exp_() @ counts.to(dtype)).to(a.dtype)
        ctx.save_for_backward(sharp, points, counts, odds, total)
        ctx.tau = tau
        return total.log() + top

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None]:  # noqa: ANN401 - as above
        sharp, points, counts, odds, total = ctx.saved_tensors
        # shares are odds * counts / total: the small factors are scaled, not the (A, P) array
        pull, times = (grads[0] / total).unsqueeze(1), counts.unsqueeze(1)
        of_a = (odds @ (points * times).to(odds.dtype)) * (pull / ctx.tau)
        of_p = (odds.T @ (sharp * pull).to(odds.dtype)) * times
        return of_a, of_p, None, None, None


def l2(*vectors: Tensor) -> Tensor:
    """1/(2B) * sum ||x||^2 over vectors of B rows each (LightGCN's code): (B, d)... -> ()."""
    total = torch.stack([v.square().sum() for v in vectors]).sum()
    return total / (2 * vectors[0].shape[0])


def weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean sum w_k l_k / sum w_k: (B,), (B,) -> ()."""
    return (losses * weights).sum() / weights.sum()
