"""Blends: the weighted sum of several models' scores, a block of users at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import numpy as np
from scipy.sparse import csr_matrix

from services.recsys.closed_forms import CollectiveEase
from services.recsys.closed_forms.base import Floats, Ints
from services.recsys.cold import Map, fit_fold_in, pooled
from services.recsys.data import Embeddings, Interactions

Scale = Literal["raw", "spread"]
"""Scores as they are, or each person's divided by their standard deviation over the items."""


class Scorer(Protocol):
    """Any model that ranks all items for people it knows, and for histories it does not."""

    def score_block(self, users: Ints) -> Floats:
        """Score all items for users of the fit: (b,) -> (b, I)."""
        ...

    def score_rows(self, rows: csr_matrix) -> Floats:
        """Score all items for any histories: (b, I) -> (b, I)."""
        ...


@dataclass(frozen=True, eq=False)
class Vectors:
    """A trained model in a blend: a newcomer's vector is folded in by a ridge map."""

    embeddings: Embeddings
    into: Map

    @classmethod
    def of(cls, embeddings: Embeddings, train: Interactions) -> Self:
        """Fit the map on those who were trained."""
        return cls(embeddings, fit_fold_in(embeddings, train).map)

    def score_block(self, users: Ints) -> Floats:
        """Score by the inner product of the trained vectors: (b,) -> (b, I)."""
        scores: Floats = self.embeddings.users.numpy()[users] @ self.embeddings.items.numpy().T
        return scores

    def score_rows(self, rows: csr_matrix) -> Floats:
        """Fold each row in, then score all items: (b, I) -> (b, I)."""
        items = self.embeddings.items.numpy()
        scores: Floats = self.into(pooled(rows, items)) @ items.T
        return scores


@dataclass(frozen=True, eq=False)
class Part:
    """One model of a blend and what it weighs; at weight 0 it is never asked."""

    name: str
    model: Scorer
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Blend:
    """score = sum over the parts of weight * scaled(score); memory O(batch * items)."""

    parts: Sequence[Part]
    scale: Scale = "raw"

    def score_block(self, users: Ints) -> Floats:
        """Score all items for users of the fit: (b,) -> (b, I)."""
        return self._sum([part.model.score_block(users) for part in self._asked()])

    def score_rows(self, rows: csr_matrix, texts: Floats | None = None) -> Floats:
        """Score all items for any histories, with their people's text vectors if there are any.

        (b, I), (b, q) -> (b, I). The vectors are as the encoder gives them, not centred.
        """
        return self._sum([_of_rows(part.model, rows, texts) for part in self._asked()])

    def _asked(self) -> list[Part]:
        return [part for part in self.parts if part.weight]

    def _sum(self, blocks: Sequence[Floats]) -> Floats:
        total = np.zeros_like(blocks[0], dtype=np.float32)
        for part, block in zip(self._asked(), blocks, strict=True):
            total += np.float32(part.weight) * scaled(block, self.scale)
        return total


def scaled(block: Floats, scale: Scale) -> Floats:
    """Return a block on its scale: (b, I) -> (b, I); a row of one value becomes zeros.

    A row with a score that is not a number keeps none, so that `topk.top_k` refuses it.
    """
    if scale == "raw":
        return block
    spread = block.std(axis=1, keepdims=True)
    flat = spread == 0  # which NaN is not
    return np.where(flat, 0, block / np.where(flat, 1, spread)).astype(np.float32)


def _of_rows(model: Scorer, rows: csr_matrix, texts: Floats | None) -> Floats:
    scores = model.score_rows(rows)
    if texts is not None and isinstance(model, CollectiveEase):
        scores = scores + model.score_texts(texts)
    return scores
