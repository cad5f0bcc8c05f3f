"""What makes a row unacceptable: one expression per rule, over columns of raw texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

ID_BYTES = 256
TYPE_CHARS = 64
IDS = ("user_id", "item_id", "id", "event_id", "recommendation_id")
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class Rule:
    """Rows where `broken` holds are rejected with this code and sentence."""

    code: str
    detail: str
    broken: pl.Expr


def rules(columns: Sequence[str], *, required: Sequence[str], text_chars: int) -> list[Rule]:
    """Return the rules for these columns; the first that is broken names the row's fault."""
    found = [Rule("MISSING", f"{name} is missing.", pl.col(name).is_null()) for name in required]
    for name in columns:
        nul = pl.col(name).str.contains("\0", literal=True)
        found.append(Rule("NUL", f"{name} may not hold the character U+0000.", nul))
        if name in IDS:
            long = pl.col(name).str.len_bytes() > ID_BYTES
            found.append(Rule("ID_TOO_LONG", f"{name} is over {ID_BYTES} bytes.", long))
    named = {
        "type": Rule(
            "TYPE_TOO_LONG",
            f"type is over {TYPE_CHARS} characters.",
            pl.col("type").str.len_chars() > TYPE_CHARS,
        ),
        "text": Rule(
            "TEXT_TOO_LONG",
            f"text is over {text_chars:,} characters.",
            pl.col("text").str.len_chars() > text_chars,
        ),
        "value": Rule("BAD_NUMBER", "value is no finite number.", _unread("value", number())),
        "position": Rule(
            "BAD_POSITION", "position is no whole number from 0.", _unread("position", position())
        ),
        "split": Rule("BAD_SPLIT", "split is none of train, val, test.", _unread("split", split())),
    }
    return found + [named[name] for name in columns if name in named]


def number() -> pl.Expr:
    """Return `value` as a finite float, else null."""
    read = pl.col("value").str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(read.is_finite()).then(read)


def position() -> pl.Expr:
    """Return `position` as an integer that fits Postgres' int, else null."""
    read = pl.col("position").str.strip_chars().cast(pl.Int64, strict=False)
    return pl.when(read.is_between(0, 2**31, closed="left")).then(read)


def split() -> pl.Expr:
    """Return `split` in our own words, else null."""
    word = pl.col("split").str.strip_chars().str.to_lowercase()
    return word.replace_strict(SPLITS, default=None, return_dtype=pl.String)


def _unread(name: str, read: pl.Expr) -> pl.Expr:
    return pl.col(name).is_not_null() & read.is_null()
