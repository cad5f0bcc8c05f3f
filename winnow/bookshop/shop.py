"""The whole shop from one seed."""

from __future__ import annotations

from dataclasses import dataclass

from winnow.bookshop.books import Book, stock
from winnow.bookshop.draws import Draws
from winnow.bookshop.purchases import Purchase, plant, shelves
from winnow.bookshop.readers import Reader, customers

DEFAULT_READERS = 1_000
DEFAULT_BOOKS = 600
NOISE_KINDS = frozenset({"misclick", "popular"})


@dataclass(frozen=True, kw_only=True)
class Shop:
    """Readers, books and purchases; purchases are sorted by reader, then book."""

    readers: list[Reader]
    books: list[Book]
    purchases: list[Purchase]


def make_shop(seed: int, *, readers: int = DEFAULT_READERS, books: int = DEFAULT_BOOKS) -> Shop:
    """Return the shop of a seed: the same seed gives the same shop on any machine."""
    draws = Draws(seed)
    stocked = stock(draws, books)
    people = customers(draws, readers)
    true = shelves(draws, people, stocked)
    noise = plant(draws, true, readers=readers, books=books)
    purchases = sorted(true + noise, key=lambda purchase: (purchase.reader, purchase.book))
    return Shop(readers=people, books=stocked, purchases=purchases)
