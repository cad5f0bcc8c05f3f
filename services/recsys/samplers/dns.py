"""DNS: the hardest of n fresh uniform negatives (Zhang et al., SIGIR 2013)."""

from torch import Tensor

from services.recsys.data import Embeddings
from services.recsys.samplers.uniform import Uniform


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
    return (z.items[items] @ z.users[users].unsqueeze(2)).squeeze(2)
