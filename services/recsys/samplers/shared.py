"""Negatives shared by a whole batch, with each user's own positives among them marked."""

import torch
from torch import Tensor

from services.recsys.data import Interactions


class Shared:
    """Draws n distinct items for all users of a batch at once; the device is the generator's."""

    def __init__(self, taken: Interactions, *, n: int, rng: torch.Generator) -> None:
        self._n = min(n, taken.n_items)
        self._rng = rng
        self._n_items = taken.n_items
        self._items = torch.from_numpy(taken.items).to(rng.device)
        self._indptr = torch.from_numpy(taken.indptr()).to(rng.device)

    def draw(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """Items (S,), and wrong (B, S): where the item is taken by the user."""
        order = torch.randperm(self._n_items, generator=self._rng, device=self._rng.device)
        items = order[: self._n]
        return items, self._taken(users, items)

    def _taken(self, users: Tensor, items: Tensor) -> Tensor:
        column = torch.full((self._n_items,), -1, device=items.device)
        column[items] = torch.arange(len(items), device=items.device)
        counts = self._indptr[users + 1] - self._indptr[users]
        rows = torch.repeat_interleave(torch.arange(len(users), device=items.device), counts)
        within = torch.arange(len(rows), device=items.device) - (counts.cumsum(0) - counts)[rows]
        columns = column[self._items[self._indptr[users][rows] + within]]
        wrong = torch.zeros((len(users), len(items)), dtype=torch.bool, device=items.device)
        wrong[rows[columns >= 0], columns[columns >= 0]] = True
        return wrong
