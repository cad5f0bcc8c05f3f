"""LLMHNI's semantic hard negatives (arXiv 2511.07295, Eq. 8-10).

A pool HN_u of K items per user lives across steps. Each time a user is seen, M fresh free items
join it and K of the union stay, P(j) ~ y_uj; the negative is the member least like the user in
the aligned text space, so that it is hard for the model and still no false negative.
"""

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from services.recsys.data import Embeddings
from services.recsys.samplers.dns import member_scores
from services.recsys.samplers.uniform import Uniform

Pool = Literal["relu", "softmax", "hardest"]


class SemanticHard(nn.Module):
    """A sampler with a memory: its pool is part of the checkpoint."""

    pool: Tensor  # (U, K) int64

    def __init__(
        self,
        uniform: Uniform,
        texts: Embeddings,
        *,
        K: int,
        M: int,
        rule: Pool,
        T: float,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        if rule == "hardest" and K > M:
            raise ValueError(f"the hardest {K} of {M} fresh items do not exist")
        self._uniform = uniform
        self._texts = Embeddings(F.normalize(texts.users, dim=1), F.normalize(texts.items, dim=1))
        self._M, self._rule, self._T, self._rng = M, rule, T, rng
        everyone = torch.arange(len(texts.users), device=rng.device)
        self.register_buffer("pool", uniform.draw(everyone, n=K))

    def draw(self, users: Tensor, z: Embeddings) -> Tensor:
        """Renew the pools of these users and take one negative each: (B,) -> (B,)."""
        fresh = self._uniform.draw(users, n=self._M)
        joined = fresh if self._rule == "hardest" else torch.cat([self.pool[users], fresh], dim=1)
        members = self.renew(joined, member_scores(z, users, joined))
        self._remember(users, members)
        likeness = member_scores(self._texts, users, members)
        return members.gather(1, likeness.argmin(dim=1, keepdim=True)).squeeze(1)

    def renew(self, joined: Tensor, scores: Tensor) -> Tensor:
        """K of each row without replacement (Eq. 8-9): (B, K+M), (B, K+M) -> (B, K).

        relu: P(j) ~ max(y, 0), items at 0 only when nothing else is left. softmax:
        P(j) ~ exp(y / T). hardest: the largest y. Gumbel's trick: the K largest of
        ln P + Gumbel noise are K draws without replacement (arXiv 1903.06059).
        """
        if self._rule == "relu":
            keys = scores.clamp_min(1e-12).log() + self._gumbel(scores)
        elif self._rule == "softmax":
            keys = scores / self._T + self._gumbel(scores)
        else:
            keys = scores
        # the union is a set: a repeated item has one ticket
        keys = keys.masked_fill(_repeated(joined), -torch.inf)
        return joined.gather(1, keys.topk(self.pool.shape[1], dim=1).indices)

    def _gumbel(self, like: Tensor) -> Tensor:
        uniform = torch.rand(like.shape, generator=self._rng, device=like.device)
        return -(-uniform.clamp_min(1e-20).log()).log()

    def _remember(self, users: Tensor, members: Tensor) -> None:
        """A user met twice in a batch keeps its last pool, on every device."""
        steps = torch.arange(len(users), device=users.device)
        last = torch.zeros(len(self.pool), dtype=torch.int64, device=users.device)
        last.scatter_reduce_(0, users, steps, "amax")
        final = last[users] == steps
        self.pool[users[final]] = members[final]


def _repeated(items: Tensor) -> Tensor:
    """Marks every occurrence but the first of an item in its row: (B, n) -> (B, n) bool."""
    ordered, order = items.sort(dim=1, stable=True)
    again = torch.zeros_like(items, dtype=torch.bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    return torch.zeros_like(again).scatter_(1, order, again)
