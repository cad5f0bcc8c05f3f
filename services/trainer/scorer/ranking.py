"""Exact top-K over all items, block by block; what is filtered is looked up down the ranking.

Memory is O(BLOCK * items). A filter is asked of Postgres for the best items first, and for ever
longer heads of the ranking until K of them satisfy it or there are no more.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import numpy.typing as npt

from services.recsys.topk import NO_ITEM, top_k
from services.shared.db.repos import catalogue
from services.shared.db.session import unit_of_work
from services.shared.expression import Comparison

BLOCK = 64
"""People scored at once."""

FIRST_HEAD, GROWTH = 256, 8
"""Items of a ranking that a filter is asked about at first, and how much more each next time."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Ranked = tuple[Ints, Floats]


@dataclass(frozen=True, eq=False)
class Shelf:
    """The items of a request: those of the training, then the new ones."""

    ids: Sequence[str]
    vectors: Floats  # (I, d)
    popularity: Floats  # (I,), for whom nothing is known of


@dataclass
class Sieve:
    """A filter, with what it has said of items so far."""

    project_id: UUID
    dataset_id: UUID
    clauses: Sequence[Comparison]
    _said: dict[str, bool] = field(default_factory=dict)

    def kept(self, idents: Collection[str]) -> frozenset[str]:
        """Return those that satisfy it."""
        if not self.clauses:
            return frozenset(idents)
        asked = [ident for ident in idents if ident not in self._said]
        if asked:
            with unit_of_work(self.project_id) as session:
                kept = catalogue.matching(session, self.dataset_id, asked, self.clauses)
            self._said.update((ident, ident in kept) for ident in asked)
        return frozenset(ident for ident in idents if self._said[ident])


def best(
    people: Sequence[Floats | None],
    shelf: Shelf,
    *,
    hidden: Sequence[Ints],
    sieve: Sieve,
    k: int,
) -> list[Ranked]:
    """Return each person's best items, by index, and their scores; fewer where no more are left.

    Args:
        people: a vector (d,) each, None for somebody who gets what is popular.
        shelf: all items.
        hidden: indices of the items not to be said, one array a person.
        sieve: what an item must satisfy.
        k: how many.
    """
    found: list[Ranked] = []
    for start in range(0, len(people), BLOCK):
        some = people[start : start + BLOCK]
        scores = _scores(some, shelf)
        for row, items in enumerate(hidden[start : start + BLOCK]):
            scores[row, items] = -np.inf
        found += _ranked(scores, shelf, sieve, k)
    return found


def _scores(people: Sequence[Floats | None], shelf: Shelf) -> Floats:
    scores = np.tile(shelf.popularity, (len(people), 1))  # (b, I)
    known = [row for row, vector in enumerate(people) if vector is not None]
    if known:
        vectors = np.stack([vector for vector in people if vector is not None])
        scores[known] = vectors @ shelf.vectors.T
    return scores


def _ranked(scores: Floats, shelf: Shelf, sieve: Sieve, k: int) -> list[Ranked]:
    if not sieve.clauses:
        return [_present(items, values) for items, values in zip(*top_k(scores, k), strict=True)]
    return [_sifted(row, shelf, sieve, k) for row in scores]


def _sifted(scores: Floats, shelf: Shelf, sieve: Sieve, k: int) -> Ranked:
    head, total = max(FIRST_HEAD, 2 * k), len(shelf.ids)
    while True:
        items, values = top_k(scores[None], min(head, total))
        items, values = _present(items[0], values[0])
        kept = sieve.kept([shelf.ids[item] for item in items.tolist()])
        good = np.array([shelf.ids[item] in kept for item in items.tolist()], dtype=np.bool_)
        if good.sum() >= k or head >= total:
            return items[good][:k], values[good][:k]
        head *= GROWTH


def _present(items: Ints, values: npt.NDArray[np.floating]) -> Ranked:
    there = items != NO_ITEM
    return items[there], values[there].astype(np.float32)
