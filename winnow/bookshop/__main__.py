"""`python -m winnow.bookshop --out DIR --seed N`: write the generated bookshop."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from winnow.bookshop.files import write_shop
from winnow.bookshop.shop import DEFAULT_BOOKS, DEFAULT_READERS, make_shop


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--readers", type=click.IntRange(min=20), default=DEFAULT_READERS, show_default=True)
@click.option("--books", type=click.IntRange(min=80), default=DEFAULT_BOOKS, show_default=True)
def main(out: Path, seed: int, readers: int, books: int) -> None:
    """Write users, items, interactions and the truth aside."""
    shop = make_shop(seed, readers=readers, books=books)
    write_shop(shop, out, seed=seed)
    counts = Counter((purchase.split, purchase.kind) for purchase in shop.purchases)
    for (split, kind), count in sorted(counts.items()):
        print(f"{split:5} {kind:8} {count:6}")


if __name__ == "__main__":
    main()
