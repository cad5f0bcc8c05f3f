"""The texts of users and items by index; who has none is described by what they like."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from services.recsys.data import Interactions
from services.trainer.snapshot import copied

COMPOSED_OF = 5
"""Item texts in a composed user text."""

COMPOSED_CHARS = 400
"""Characters taken of each: five together stay below a sentence encoder's window."""

SCHEMA = {"id": pl.String, "text": pl.String}


def read(path: Path, ids: Sequence[str]) -> pl.DataFrame:
    """Return index, id, text for these ids in their order; text is null where there is none."""
    uploaded = copied.read(path, SCHEMA)
    wanted = pl.DataFrame({"index": range(len(ids)), "id": ids}, schema=_INDEXED)
    return wanted.join(uploaded, on="id", how="left", maintain_order="left")


_INDEXED = {"index": pl.Int32, "id": pl.String}


def compose(
    users: pl.DataFrame, items: pl.DataFrame, *, train: Interactions, recency: Sequence[int]
) -> pl.DataFrame:
    """Fill in missing user texts from up to 5 train items' texts; flag them in `composed`.

    `recency` (E,) ranks the train edges: the latest come first, ties in the order of the items.
    """
    edges = pl.DataFrame({"index": train.users, "item": train.items, "recency": recency})
    liked = (
        edges.cast({"index": pl.Int32, "item": pl.Int32})
        .join(items.select(item="index", liked="text").drop_nulls("liked"), on="item")
        .sort(["index", "recency", "item"], descending=[False, True, False])
        .group_by("index", maintain_order=True)
        .agg(pl.col("liked").head(COMPOSED_OF).str.slice(0, COMPOSED_CHARS).str.join("\n"))
    )
    composed = pl.col("text").is_null() & pl.col("liked").is_not_null()
    joined = users.join(liked, on="index", how="left", maintain_order="left")
    filled = joined.with_columns(composed=composed, text=pl.coalesce("text", "liked"))
    return filled.drop("liked")


def with_hashes(profiles: pl.DataFrame) -> pl.DataFrame:
    """Add `text_sha256`, the 32 bytes under which the text's vector is kept."""
    texts = profiles["text"].to_list()
    hashes = [None if t is None else hashlib.sha256(t.encode()).digest() for t in texts]
    return profiles.with_columns(pl.Series("text_sha256", hashes, dtype=pl.Binary))
