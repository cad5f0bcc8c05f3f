"""The snapshot on disk: users.parquet, items.parquet, interactions.parquet, words.parquet."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from services.recsys.data import Interactions, Split
from services.recsys.split import Parts, apply_parts

USERS, ITEMS, INTERACTIONS = "users.parquet", "items.parquet", "interactions.parquet"
WORDS = "words.parquet"


def _nobody_spoke() -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(("user_id", "item_id", "verdict"), pl.String))


@dataclass(frozen=True)
class Snapshot:
    """A fixed graph with its ids; profiles have index, id, text, text_sha256."""

    users: pl.DataFrame
    items: pl.DataFrame
    edges: Interactions  # train, val and test together
    parts: Parts  # (E,)
    words: pl.DataFrame = field(
        default_factory=_nobody_spoke
    )  # people's: user_id, item_id, verdict

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
    words: pl.DataFrame | None = None,
) -> None:
    """Write the four files; timestamps are microseconds since 1970 or null."""
    (_nobody_spoke() if words is None else words).write_parquet(folder / WORDS)
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
    said = folder / WORDS  # which a snapshot of an older version does not have
    words = pl.read_parquet(said) if said.exists() else _nobody_spoke()
    return Snapshot(users, items, edges, rows["split"].to_numpy(), words)
