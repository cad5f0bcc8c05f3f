"""The ranking against plain sorting, with what is hidden, new and filtered; and in what blocks."""

from collections.abc import Collection
from uuid import uuid4

import numpy as np
import pytest

from services.shared.expression import Comparison
from services.trainer.scorer import ranking
from services.trainer.scorer.ranking import Shelf, Sieve, best

CLAUSE = (Comparison("any", "=", 1.0),)


class _Sieve(Sieve):
    """Keeps what a test says, and counts how often it is asked about an item."""

    def __init__(self, keeps: frozenset[str]) -> None:
        super().__init__(uuid4(), uuid4(), CLAUSE)
        self.keeps, self.asked = keeps, 0

    def kept(self, idents: Collection[str]) -> frozenset[str]:
        self.asked = len(idents)
        return self.keeps & set(idents)


def _shelf(trained: int, new: int, rng: np.random.Generator) -> Shelf:
    return Shelf(
        [f"t{n}" for n in range(trained)],
        rng.normal(size=(trained, 4)).astype(np.float32),
        rng.random(trained).astype(np.float32),
        [f"n{n}" for n in range(new)],
        rng.normal(size=(new, 4)).astype(np.float32),
    )


def _plain(vector: np.ndarray | None, shelf: Shelf, hidden: np.ndarray) -> list[str]:
    assert shelf.new_vectors is not None
    names = [*shelf.ids, *shelf.new_ids]
    if vector is None:
        scores = [*shelf.popularity.tolist(), *([0.0] * len(shelf.new_ids))]
    else:
        rows = np.concatenate([shelf.vectors, shelf.new_vectors])
        scores = [float(np.dot(vector, row)) for row in rows]
    left = [at for at in range(len(names)) if at not in set(hidden.tolist())]
    return [names[at] for at in sorted(left, key=lambda at: (-scores[at], at))]


@pytest.mark.parametrize("cells", [1, 150, 4_000_000])
def test_everybodys_best_are_those_of_plain_sorting_whatever_the_blocks(
    monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    monkeypatch.setattr(ranking, "CELLS", cells)
    rng = np.random.default_rng(0)
    shelf = _shelf(40, 5, rng)
    people = [None if n % 4 == 0 else rng.normal(size=4).astype(np.float32) for n in range(9)]
    hidden = [rng.choice(45, n, replace=False) for n in range(9)]
    found = best(people, shelf, hidden=hidden, sieve=Sieve(uuid4(), uuid4(), ()), k=12)
    for vector, gone, (items, scores) in zip(people, hidden, found, strict=True):
        assert [shelf.name(at) for at in items.tolist()] == _plain(vector, shelf, gone)[:12]
        assert list(scores) == sorted(scores, reverse=True)


def test_a_filter_is_asked_down_the_ranking_until_enough_satisfy_it() -> None:
    rng = np.random.default_rng(1)
    shelf = _shelf(3_000, 0, rng)
    vector = rng.normal(size=4).astype(np.float32)
    nothing = np.array([], dtype=np.int64)
    order = _plain(vector, shelf, nothing)
    for keeps, asked in (
        (frozenset(order[:5]), ranking.FIRST_HEAD),
        (frozenset(order[1_000:1_005]), ranking.FIRST_HEAD * ranking.GROWTH),
        (frozenset(order[-2:]), 3_000),
        (frozenset[str](), 3_000),
    ):
        sieve = _Sieve(keeps)
        ((items, _),) = best([vector], shelf, hidden=[nothing], sieve=sieve, k=5)
        assert [shelf.name(at) for at in items.tolist()] == [n for n in order if n in keeps][:5]
        assert sieve.asked == asked


def test_where_everything_is_hidden_nothing_is_said() -> None:
    shelf = _shelf(6, 2, np.random.default_rng(2))
    ((items, scores),) = best(
        [np.ones(4, dtype=np.float32)],
        shelf,
        hidden=[np.arange(8)],
        sieve=Sieve(uuid4(), uuid4(), ()),
        k=3,
    )
    assert (len(items), len(scores)) == (0, 0)
