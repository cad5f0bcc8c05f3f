"""Edge drop: a random view of a graph (SGL, arXiv 2010.10783; rho of LLMHNI)."""

import torch
from torch import Tensor


def drop_edges(weights: Tensor, *, rho: float, rng: torch.Generator) -> Tensor:
    """Each undirected edge weighs 0 with probability rho: (E,) -> (E,).

    Degrees change with it: pass the result through `Adjacency.normalise` again.
    """
    if not 0.0 <= rho < 1.0:
        raise ValueError(f"rho must lie in [0, 1), not {rho}")
    coins = torch.rand(weights.shape, generator=rng, device=weights.device)
    return torch.where(coins < rho, 0.0, weights)
