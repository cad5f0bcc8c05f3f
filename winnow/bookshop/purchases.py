"""Who bought what and why: true shelves first, then noise planted in the training part.

Every purchase carries its kind, the truth that no upload contains:
`taste` (from a main theme or a favourite author), `side` (a hard positive: the side interest),
`misclick` (drawn uniformly) and `popular` (drawn by popularity).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from winnow.bookshop.books import Book
from winnow.bookshop.draws import Draws, FloatArray
from winnow.bookshop.readers import Reader

SHELF_MEDIAN = 18.0
SHELF_SPREAD = 0.35
SPLITS = ((0.65, "train"), (0.80, "val"), (1.01, "test"))
NOISE_PER_TRUE = (0.05, 0.2, 0.5)  # of a reader's train shelf; their mean makes 20 % of the edges
TASTE_WEIGHTS = (1.0, 0.6, 0.35)


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """One edge of the graph with its reason; indices into readers and books."""

    reader: int
    book: int
    kind: str
    split: str


def shelves(draws: Draws, readers: list[Reader], books: list[Book]) -> list[Purchase]:
    """Return the true purchases of all readers, in the three splits."""
    sizes = np.exp(draws.normals(len(readers)) * SHELF_SPREAD) * SHELF_MEDIAN
    return [
        purchase
        for at, reader in enumerate(readers)
        for purchase in _shelf(draws, at, reader, books, size=math.floor(sizes[at]))
    ]


def plant(draws: Draws, true: list[Purchase], *, readers: int, books: int) -> list[Purchase]:
    """Return noise edges for the train split: none repeats a true purchase of its reader."""
    bought: list[set[int]] = [set() for _ in range(readers)]
    train_sizes = [0] * readers
    counts = np.ones(books)
    for purchase in true:
        bought[purchase.reader].add(purchase.book)
        train_sizes[purchase.reader] += purchase.split == "train"
        counts[purchase.book] += purchase.split == "train"
    noise: list[Purchase] = []
    for at in range(readers):
        wanted = round(train_sizes[at] * draws.pick(NOISE_PER_TRUE))
        noise += _noise(draws, at, bought[at], np.log(counts), wanted)
    return noise


def _shelf(
    draws: Draws, at: int, reader: Reader, books: list[Book], *, size: int
) -> list[Purchase]:
    aside = _aside(draws, reader, books)
    weights = np.array([_log_weight(reader, book) for book in books])
    weights[aside] = -math.inf
    main = draws.sample(weights, max(10, min(size, 60))).tolist()
    kinds = [(book, "side") for book in aside] + [(book, "taste") for book in main]
    return [Purchase(reader=at, book=book, kind=kind, split=_split(draws)) for book, kind in kinds]


def _aside(draws: Draws, reader: Reader, books: list[Book]) -> list[int]:
    """Return the few books of the side interest: two to four."""
    if reader.side is None:
        return []
    weights = np.array(
        [0.6 * book.appeal if book.theme == reader.side else -math.inf for book in books]
    )
    return [int(at) for at in draws.sample(weights, 2 + draws.below(3))]


def _log_weight(reader: Reader, book: Book) -> float:
    """Return the log odds that this reader takes this book from the main shelves."""
    taste = 0.005
    if book.theme in reader.tastes:
        taste = TASTE_WEIGHTS[reader.tastes.index(book.theme)]
    return (
        math.log(taste)
        + 0.8 * book.appeal
        + 1.0 * (book.mood == reader.mood)
        + 1.5 * (book.author_index in reader.authors)
        + 2.0 * (book.circle == reader.circle)
    )


def _split(draws: Draws) -> str:
    mark = draws.below(1_000_000) / 1_000_000
    return next(name for bound, name in SPLITS if mark < bound)


def _noise(
    draws: Draws, at: int, bought: set[int], log_counts: FloatArray, wanted: int
) -> list[Purchase]:
    noise: list[Purchase] = []
    free = np.zeros_like(log_counts)
    free[sorted(bought)] = -math.inf
    for _ in range(wanted):
        kind = "misclick" if draws.chance(0.5) else "popular"
        weights = free if kind == "misclick" else free + log_counts
        book = int(draws.sample(weights, 1)[0])
        free[book] = -math.inf
        noise.append(Purchase(reader=at, book=book, kind=kind, split="train"))
    return noise
