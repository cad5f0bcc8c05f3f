"""DNS: the hardest of n fresh uniform negatives (Zhang et al., SIGIR 2013)."""

import torch
from torch import Tensor

from services.recsys.data import Embeddings
from services.recsys.samplers.uniform import Uniform

_AT_ONCE = 64
"""Users whose items' vectors are gathered together: few enough to stay in a core's cache."""


class Dns:
    """Dynamic negative sampling by the current model's scores."""

    def __init__(self, uniform: Uniform, *, n: int) -> None:
        self._uniform = uniform
        self._n = n

    def draw(self, users: Tensor, z: Embeddings) -> Tensor:
        """The best-scored of n free items per user: (B,) -> (B,)."""
        fresh = self._uniform.draw(users, n=self._n)
        hardest = member_scores(z, users, fresh).argmax(dim=1, keepdim=True)
        return fresh.gather(1, hardest).squeeze(1)


def member_scores(z: Embeddings, users: Tensor, items: Tensor) -> Tensor:
    """Dot products of each user with items of its own: (B,), (B, n) -> (B, n)."""
    found = []
    vectors = torch.split(z.users.index_select(0, users), _AT_ONCE)
    for u, some in zip(vectors, torch.split(items, _AT_ONCE), strict=True):
        # index_select: a quarter of the time of z.items[some]
        own = z.items.index_select(0, some.flatten()).view(*some.shape, -1)
        # as a row by a matrix: a third of the time of the matrix by a column
        found.append(torch.bmm(u.unsqueeze(1), own.transpose(1, 2)).squeeze(1))
    return torch.cat(found)
