"""From the log as it was sent to unique positive pairs."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from services.shared.expression import Comparison, parse
from services.trainer.snapshot import copied

SCHEMA = {
    "user_id": pl.String,
    "item_id": pl.String,
    "type": pl.String,
    "value": pl.Float64,
    "micros": pl.Int64,
    "split": pl.String,
    "seq": pl.Int64,
}
"""The columns of repos.snapshots.copy_interactions; micros: microseconds since 1970, UTC."""

NO_SPLIT = "train"
"""What an interaction belongs to that came without a word in the split column."""


@dataclass(frozen=True)
class Positives:
    """Unique pairs, sorted by the bytes of (user_id, item_id), with what fell on the way."""

    pairs: pl.DataFrame  # user_id, item_id, micros, split
    rows: int
    negative: int
    duplicates: int


def read(path: Path, *, positive: str | None) -> Positives:
    """Read the copied log, keep what the expression calls positive, one row a pair.

    Of a pair's rows the split decides first (train beats val beats test: what trains must never
    test), then the earliest moment, then the first to arrive.
    """
    rows = copied.read(path, SCHEMA)
    kept = rows.filter(*(_holds(clause) for clause in parse(positive))) if positive else rows
    return Positives(
        pairs=_unique(kept),
        rows=len(rows),
        negative=len(rows) - len(kept),
        duplicates=len(kept) - kept.select("user_id", "item_id").n_unique(),
    )


def _unique(rows: pl.DataFrame) -> pl.DataFrame:
    split = pl.col("split").fill_null(NO_SPLIT)
    rank = split.replace_strict({"train": 0, "val": 1, "test": 2}, default=3)
    order = ["user_id", "item_id", "rank", "micros", "seq"]
    ordered = rows.with_columns(split=split, rank=rank).sort(order, nulls_last=True)
    first = ordered.unique(["user_id", "item_id"], keep="first", maintain_order=True)
    return first.select("user_id", "item_id", "micros", "split")


def _holds(clause: Comparison) -> pl.Expr:
    column, operand = pl.col(clause.field), clause.operand
    comparisons = {
        ">=": column >= operand,
        "<=": column <= operand,
        "!=": column != operand,
        "=": column == operand,
        ">": column > operand,
        "<": column < operand,
    }
    return comparisons[clause.operator]
