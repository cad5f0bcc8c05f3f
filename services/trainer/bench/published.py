"""A folder's published split: `interactions.parquet` with user_id, item_id and split."""

from pathlib import Path

import polars as pl

from services.recsys.data import Interactions, Split
from services.recsys.split import apply_parts, by_column
from services.shared.errors import InvalidError

FILE = "interactions.parquet"
COLUMNS = ("user_id", "item_id", "split")
WORDS = (pl.String, pl.Categorical, pl.Enum)
"""Kinds of a column of words; ids are of the first, or whole numbers."""


def read(folder: Path) -> Split:
    """Return the split; users and items are numbered in the order of their ids.

    Raises InvalidError when the file is missing, empty or no parquet, a column is missing, of
    another kind or null somewhere, a pair stands in two parts, or a part is empty.
    """
    return _split(_rows(folder), folder / FILE)


def parts(folder: Path) -> dict[str, Interactions]:
    """Return the parts that the folder has, numbered as `read` does; any may be missing.

    Raises InvalidError when the file or a column is missing or unfit.
    """
    rows = _rows(folder)
    users, items = (rows[name].rank("dense").to_numpy() - 1 for name in COLUMNS[:2])
    sizes = {"n_users": int(users.max()) + 1, "n_items": int(items.max()) + 1}
    found = {}
    for part in ("train", "val", "test"):
        at = (rows["split"] == part).to_numpy()
        if at.any():
            found[part] = Interactions.build(users=users[at], items=items[at], **sizes)
    return found


def ids(folder: Path) -> tuple[list[int | str], list[int | str]]:
    """Return the ids of users and of items in the order in which `read` numbers them."""
    rows = _rows(folder)
    users, items = (rows[name].unique().sort().to_list() for name in COLUMNS[:2])
    return users, items


def _rows(folder: Path) -> pl.DataFrame:
    path = folder / FILE
    if not path.is_file():
        raise InvalidError(f"{folder} has no {FILE}.")
    try:
        rows = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).partition("\n")[0]
        raise InvalidError(f"{path} can't be read as parquet: {first}.") from None
    absent = sorted(set(COLUMNS) - set(rows.columns))
    if absent:
        raise InvalidError(f"{path} has no column {', '.join(absent)}.")
    if not len(rows):
        raise InvalidError(f"{path} has no row: user_id, item_id and split, a row a pair.")
    for name in COLUMNS:
        _check(rows[name], path)
    return rows.select(COLUMNS).unique()


def _check(column: pl.Series, path: Path) -> None:
    """Raise InvalidError for a column of another kind, or with a row that tells nothing."""
    split = column.name == COLUMNS[2]
    # each an instance or a class, equal and of different hashes
    words = any(column.dtype == kind for kind in (WORDS if split else WORDS[:1]))
    if not words and (split or not column.dtype.is_integer()):
        wanted = "words" if split else "whole numbers or words"
        raise InvalidError(f"{path}: column {column.name} holds {column.dtype}, not {wanted}.")
    if column.null_count():
        row = column.is_null().arg_max()
        raise InvalidError(f"{path}: column {column.name} is null in row {row}, counted from 0.")


def _split(rows: pl.DataFrame, path: Path) -> Split:
    users, items = (rows[name].rank("dense").to_numpy() - 1 for name in COLUMNS[:2])
    sizes = {"n_users": int(users.max()) + 1, "n_items": int(items.max()) + 1}
    order = rows.select(pl.Series(users).alias("u"), pl.Series(items).alias("i"), "split")
    order = order.sort("u", "i")
    edges = Interactions.build(users=order["u"].to_numpy(), items=order["i"].to_numpy(), **sizes)
    if len(edges) < len(order):
        raise InvalidError(f"{path} has a pair in two parts of the split.")
    try:
        split = apply_parts(edges, by_column(order["split"].to_list()))
    except ValueError as error:
        raise InvalidError(f"{path}: {error}.") from None
    if not (len(split.train) and len(split.val) and len(split.test)):
        raise InvalidError(f"{path} needs rows of train, of val and of test.")
    return split
