"""The snapshot on disk: users.parquet, items.parquet, interactions.parquet."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from services.recsys.data import Interactions, Split
from services.recsys.split import Parts, apply_parts

USERS, ITEMS, INTERACTIONS = "users.parquet", "items.parquet", "interactions.parquet"


@dataclass(frozen=True)
class Snapshot:
    """A fixed graph with its ids; profiles have index, id, text, text_sha256."""

    users: pl.DataFrame
    items: pl.DataFrame
    edges: Interactions  # train, val and test together
    parts: Parts  # (E,)

    @property
    def user_ids(self) -> list[str]:
        """Return the users' ids by index."""
        return self.users["id"].to_list()

    @property
    def item_ids(self) -> list[str]:
        """Return the items' ids by index."""
        return self.items["id"].to_list()

    @property
    def split(self) -> Split:
        """Return the graph's three parts."""
        return apply_parts(self.edges, self.parts)


def write(
    folder: Path,
    *,
    users: pl.DataFrame,
    items: pl.DataFrame,
    edges: Interactions,
    parts: Parts,
    micros: pl.Series,
) -> None:
    """Write the three files; timestamps are microseconds since 1970 or null."""
    users.write_parquet(folder / USERS)
    items.write_parquet(folder / ITEMS)
    columns = {
        "user": pl.Series(edges.users, dtype=pl.Int32),
        "item": pl.Series(edges.items, dtype=pl.Int32),
        "split": pl.Series(parts, dtype=pl.Int8),  # as services.recsys.split names them
        "timestamp": micros,
    }
    pl.DataFrame(columns).write_parquet(folder / INTERACTIONS)


def read(folder: Path) -> Snapshot:
    """Return the snapshot that lies in a folder."""
    users, items = (pl.read_parquet(folder / name) for name in (USERS, ITEMS))
    rows = pl.read_parquet(folder / INTERACTIONS)
    edges = Interactions(
        rows["user"].to_numpy().astype(np.int64),
        rows["item"].to_numpy().astype(np.int64),
        len(users),
        len(items),
    )
    return Snapshot(users, items, edges, rows["split"].to_numpy())
