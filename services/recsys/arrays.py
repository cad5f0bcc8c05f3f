"""What the arrays of a graph and of its texts may hold, refused in words with the first fault."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import coo_matrix, csr_matrix, issparse
from torch import Tensor

Array = npt.NDArray[Any]


def check_edges(
    users: Array, items: Array, n_users: int, n_items: int, weights: Array | None
) -> None:
    """Raise ValueError for what cannot be the edges of a graph of this size, in any order."""
    _check_size("n_users", n_users)
    _check_size("n_items", n_items)
    if int(n_users) * int(n_items) > np.iinfo(np.int64).max:
        raise ValueError(f"{n_users} users times {n_items} items are more pairs than have a number")
    _check_ids("users", users, n_users)
    _check_ids("items", items, n_items)
    if len(users) != len(items):
        raise ValueError(f"{len(users)} users and {len(items)} items: an edge has one of each")
    if weights is not None:
        _check_weights(weights, len(users))


def check_vectors(name: str, users: Tensor, items: Tensor) -> None:
    """Raise ValueError where two sides are no finite vectors of one length: (U, d), (I, d)."""
    _check_side(f"{name}.users", users)
    _check_side(f"{name}.items", items)
    if users.shape[1] != items.shape[1]:
        raise ValueError(
            f"{name} must have one length on both sides, not "
            f"{users.shape[1]} for users and {items.shape[1]} for items"
        )


def check_rows(name: str, rows: int, wanted: int, of: str) -> None:
    """Raise ValueError where something has not one row for each user or item."""
    if rows != wanted:
        raise ValueError(f"{name} has {rows} rows: one for each of the {wanted} {of} is wanted")


def check_words(words: csr_matrix) -> None:
    """Raise ValueError where the weight of a word in a text is not finite: (I, words)."""
    cells = coo_matrix(words)
    bad = np.flatnonzero(~np.isfinite(cells.data))
    if len(bad):
        row, column, value = (part[bad[0]] for part in (cells.row, cells.col, cells.data))
        raise ValueError(f"words[{row}, {column}] is {value}: a word's weight must be finite")


def check_directions(vectors: object, n_items: int) -> None:
    """Raise ValueError for what is no dense array of finite vectors, one for each item: (I, d)."""
    wanted = f"a dense array ({n_items}, d) of directions is wanted"
    if issparse(vectors):
        raise ValueError(f"vectors is sparse: densify, {wanted}")
    if not isinstance(vectors, np.ndarray) or vectors.dtype.kind not in "fiu":
        found = f"{type(vectors).__name__} of {getattr(vectors, 'dtype', 'no dtype')}"
        raise ValueError(f"vectors is a {found}: {wanted}")
    if vectors.ndim != 2 or len(vectors) != n_items:
        raise ValueError(f"vectors has shape {vectors.shape}: {wanted}")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise ValueError(f"vectors[{bad[0]}] is not finite; a missing text is zeros")


def check_log_odds(log_odds: npt.ArrayLike, edges: int) -> None:
    """Raise ValueError for what is not one number for each edge; endless ones are some: (E,)."""
    shape = np.shape(log_odds)
    if shape != (edges,):
        raise ValueError(f"log_odds has shape {shape}: one for each edge is wanted, ({edges},)")
    bad = np.flatnonzero(np.isnan(log_odds))
    if len(bad):
        raise ValueError(f"log_odds[{bad[0]}] is not a number: that edge has no weight")


def check_asked(users: Array, n_users: int) -> None:
    """Raise ValueError for what are no users of what was seen, in any order: (n,)."""
    if users.ndim != 1 or (users.size and not np.issubdtype(users.dtype, np.integer)):
        found = f"{users.dtype} of shape {users.shape}"
        raise ValueError(f"users must be a vector of integers, a user's number each, not {found}")
    bad = np.flatnonzero((users < 0) | (users >= n_users))
    if len(bad):
        at = bad[0]
        raise ValueError(f"users[{at}] is {users[at]}: seen has {n_users} users, from 0")


def _check_side(name: str, vectors: object) -> None:
    if not isinstance(vectors, Tensor) or vectors.ndim != 2 or not vectors.is_floating_point():
        raise ValueError(f"{name} must be a tensor of floats, a row each: (n, d)")
    bad = ~torch.isfinite(vectors).all(dim=1)
    if bad.any():
        raise ValueError(f"{name}[{int(bad.nonzero()[0])}] is not finite; a missing text is zeros")


def _check_size(name: str, size: object) -> None:
    """Raise ValueError for what is no number of users or items."""
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 0:
        raise ValueError(f"{name} must be a whole number, 0 or more, not {size!r}")


def _check_ids(name: str, ids: object, size: int) -> None:
    """Raise ValueError for what is no vector of whole numbers in [0, size): (E,)."""
    if not isinstance(ids, np.ndarray) or ids.ndim != 1:
        found = f"{type(ids).__name__} of shape {getattr(ids, 'shape', None)}"
        raise ValueError(f"{name} must be a numpy vector, one entry an edge, not {found}")
    if not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"{name} must be integers, an edge's numbers from 0, not {ids.dtype}")
    if len(ids) and not (ids.min() >= 0 and ids.max() < size):
        at = int(np.flatnonzero((ids < 0) | (ids >= size))[0])
        raise ValueError(
            f"{name}[{at}] is {ids[at]}: an edge's must lie in [0, {size}), n_{name} is {size}"
        )


def _check_weights(weights: object, edges: int) -> None:
    """Raise ValueError for what is no vector of finite weights, 0 or more: (E,)."""
    if not isinstance(weights, np.ndarray) or weights.shape != (edges,):
        found = f"{type(weights).__name__} of shape {getattr(weights, 'shape', None)}"
        raise ValueError(f"weights must be a numpy vector, of shape ({edges},), not {found}")
    if not np.issubdtype(weights.dtype, np.floating):
        raise ValueError(f"weights must be floats, not {weights.dtype}")
    # what is no number is neither
    if edges and not (weights.min() >= 0 and weights.max() < np.inf):
        at = int(np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))[0])
        raise ValueError(f"weights[{at}] is {weights[at]}: an edge's must be finite, 0 or more")
