"""Uniform negatives over exactly the items a user has not taken, without rejection.

With a user's positives p_0 < p_1 < ... the r-th free item is r plus the number of positives k
with p_k - k <= r. One searchsorted over all users answers a whole batch.
"""

import numpy as np
import torch
from torch import Tensor

from services.recsys.data import Interactions


class Uniform:
    """Draws items outside the given edges; the device is the generator's."""

    def __init__(self, taken: Interactions, *, rng: torch.Generator) -> None:
        free = taken.n_items - taken.user_degrees()
        if np.any(free == 0):
            raise ValueError(f"user {int(np.argmin(free))} has taken every item")
        starts = taken.indptr()[:-1]
        shifted = taken.items - (np.arange(len(taken)) - starts[taken.users])
        keys = taken.users * np.int64(taken.n_items) + shifted
        self._rng = rng
        self._n_items = taken.n_items
        self._free = torch.from_numpy(free).to(rng.device)
        self._starts = torch.from_numpy(starts).to(rng.device)
        self._keys = torch.from_numpy(keys).to(rng.device)

    def draw(self, users: Tensor, *, n: int) -> Tensor:
        """Fresh independent draws for every user given: (B,) -> (B, n)."""
        # float64: a float32 in [0, 1) has too few values for catalogues beyond 2^24 items
        coins = torch.rand(
            (len(users), n), generator=self._rng, device=self._rng.device, dtype=torch.float64
        )
        rank = (coins * self._free[users].unsqueeze(1)).long()
        wanted = users.unsqueeze(1) * self._n_items + rank
        passed = torch.searchsorted(self._keys, wanted, right=True)
        return rank + passed - self._starts[users].unsqueeze(1)
