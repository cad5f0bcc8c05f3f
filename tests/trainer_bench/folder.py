"""A published split of two tastes in a folder, with a text for everybody."""

import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl

USERS, ITEMS, TAKEN = 120, 60, 12


def write(base: Path) -> Path:
    """Write the interactions and both sides' texts; return the folder."""
    rng = np.random.default_rng(3)
    rows = [
        {
            "user_id": u,
            "item_id": int(i),
            "split": ("train", "val", "test")[n % 5 // 3 + n % 5 // 4],
        }
        for u in range(USERS)
        for n, i in enumerate(rng.choice(np.arange(u % 2, ITEMS, 2), TAKEN, replace=False))
    ]
    pl.DataFrame(rows).write_parquet(base / "interactions.parquet")
    for side, count in (("users", USERS), ("items", ITEMS)):
        lines = [json.dumps({"id": n, "text": f"taste {n % 2}"}) for n in reversed(range(count))]
        with gzip.open(base / f"{side}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(lines))
    return base
