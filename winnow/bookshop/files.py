"""The shop as files: three that are uploaded, and the truth that never is."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from winnow.bookshop.books import THEMES
from winnow.bookshop.draws import Draws
from winnow.bookshop.phrases import MOODS
from winnow.bookshop.shop import Shop

COLUMNS = ("user_id", "item_id", "type", "value", "timestamp", "split")
UPLOADED = {"users": "users.ndjson", "items": "items.ndjson", "interactions": "interactions.csv"}
TRUTH = "truth.jsonl"
YEARS = {"train": 2023, "val": 2024, "test": 2025}


def write_shop(shop: Shop, folder: Path, *, seed: int) -> None:
    """Write users.ndjson, items.ndjson, interactions.csv and truth.jsonl into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_lines(folder / UPLOADED["users"], _users(shop))
    _write_lines(folder / UPLOADED["items"], _items(shop))
    _write_lines(folder / TRUTH, _truth(shop))
    _write_purchases(folder / UPLOADED["interactions"], shop, seed)


def _users(shop: Shop) -> Iterable[dict[str, object]]:
    for reader in shop.readers:
        yield {
            "id": reader.id,
            "text": reader.text,
            "branch": reader.branch,
            "member_since": reader.since,
        }


def _items(shop: Shop) -> Iterable[dict[str, object]]:
    for book in shop.books:
        yield {
            "id": book.id,
            "text": book.text,
            "title": book.title,
            "author": book.author,
            "year": book.year,
        }


def _truth(shop: Shop) -> Iterable[dict[str, object]]:
    for purchase in shop.purchases:
        book = shop.books[purchase.book]
        yield {
            "user_id": shop.readers[purchase.reader].id,
            "item_id": book.id,
            "split": purchase.split,
            "kind": purchase.kind,
            "theme": THEMES[book.theme].name,
            "mood": MOODS[book.mood].name,
        }


def _write_lines(path: Path, rows: Iterable[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_purchases(path: Path, shop: Shop, seed: int) -> None:
    draws = Draws(seed + 1)  # times have a stream of their own: they explain nothing
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for purchase in shop.purchases:
            moment = datetime(YEARS[purchase.split], 1, 1, tzinfo=UTC)
            moment += timedelta(seconds=draws.below(365 * 86_400))
            writer.writerow(
                (
                    shop.readers[purchase.reader].id,
                    shop.books[purchase.book].id,
                    "purchase",
                    1,
                    moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    purchase.split,
                )
            )
