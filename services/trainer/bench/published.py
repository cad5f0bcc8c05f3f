"""A folder's published split: `interactions.parquet` with user_id, item_id and split."""

from pathlib import Path

import polars as pl

from services.recsys.data import Interactions, Split
from services.recsys.split import apply_parts, by_column
from services.shared.errors import InvalidError

FILE = "interactions.parquet"
COLUMNS = ("user_id", "item_id", "split")


def read(folder: Path) -> Split:
    """Return the split; users and items are numbered in the order of their ids.

    Raises InvalidError when the file or a column is missing, a pair stands in two parts, or a
    part is empty.
    """
    return _split(_rows(folder), folder / FILE)


def parts(folder: Path) -> dict[str, Interactions]:
    """Return the parts that the folder has, numbered as `read` does; any may be missing.

    Raises InvalidError when the file or a column is missing.
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
    if not path.exists():
        raise InvalidError(f"{folder} has no {FILE}.")
    rows = pl.read_parquet(path)
    absent = sorted(set(COLUMNS) - set(rows.columns))
    if absent:
        raise InvalidError(f"{path} has no column {', '.join(absent)}.")
    return rows.select(COLUMNS).unique()


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
