"""What people said of pairs, as of the snapshot's moment: on its graph, and beside it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from services.recsys.data import Interactions, Ints
from services.recsys.verdicts import Words
from services.trainer.snapshot import copied
from services.trainer.snapshot.files import Snapshot

SCHEMA = {"user_id": pl.String, "item_id": pl.String, "verdict": pl.String}
"""The columns of repos.snapshots.copy_words."""


def read(path: Path) -> pl.DataFrame:
    """Return the copied words in the byte order of their pairs."""
    return copied.read(path, SCHEMA).sort("user_id", "item_id")


@dataclass(frozen=True, eq=False)
class Located:
    """Words on pairs of the graph's users and items, and those on pairs of others."""

    users: Ints  # (W,)
    items: Ints  # (W,)
    verdicts: Words  # (W,)
    outside: pl.DataFrame  # SCHEMA

    def pairs(self, like: Interactions) -> Interactions:
        """Return the pairs over the users and items of a graph."""
        return Interactions.build(
            users=self.users, items=self.items, n_users=like.n_users, n_items=like.n_items
        )


def locate(snapshot: Snapshot) -> Located:
    """Return the snapshot's words by index; an id that fell from the graph has none."""
    rows = snapshot.words
    for side, profiles in (("user", snapshot.users), ("item", snapshot.items)):
        index = profiles.select(pl.col("id").alias(f"{side}_id"), pl.col("index").alias(side))
        rows = rows.join(index, on=f"{side}_id", how="left", maintain_order="left")
    inside = rows.drop_nulls(["user", "item"])
    lost = pl.col("user").is_null() | pl.col("item").is_null()
    return Located(
        users=inside["user"].to_numpy().astype(np.int64),
        items=inside["item"].to_numpy().astype(np.int64),
        verdicts=np.array(inside["verdict"].to_list(), dtype=np.str_),
        outside=rows.filter(lost).select(*SCHEMA),
    )
