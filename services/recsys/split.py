"""Which interactions train, which choose and which test; and who has enough of them.

Every split is a vector of parts, one per edge, so that a snapshot can store it as a column.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.recsys.arrays import check_rows
from services.recsys.data import Bools, Interactions, Ints, Split

Parts = npt.NDArray[np.int8]

TRAIN, VAL, TEST = 0, 1, 2
NAMES = {"train": TRAIN, "val": VAL, "test": TEST}


def apply_parts(edges: Interactions, parts: Parts) -> Split:
    """Return the three graphs of a vector of parts (E,).

    Raises:
        ValueError: there is not one part for each edge.
    """
    if np.shape(parts) != (len(edges),):
        raise ValueError(
            f"parts has shape {np.shape(parts)}: one for each edge is wanted, ({len(edges)},)"
        )
    return Split(*(edges.where(parts == part) for part in (TRAIN, VAL, TEST)))


def by_hash(
    edges: Interactions,
    *,
    user_ids: Sequence[str],
    item_ids: Sequence[str],
    seed: int,
    val: float,
    test: float,
) -> Parts:
    """Draw each edge's part from a hash of (seed, user id, item id): (E,).

    An edge keeps its part whatever is added or removed around it, so that models of two dataset
    versions stay comparable. `val` and `test` are expected shares, in [0, 1].

    Raises:
        ValueError: the shares leave nothing to train on, or a user or an item has no id.
    """
    _check_shares(val, test)
    check_rows("user_ids", len(user_ids), edges.n_users, "users")
    check_rows("item_ids", len(item_ids), edges.n_items, "items")
    users = _hash_ids(user_ids, key=f"{seed}:user")[edges.users]
    items = _hash_ids(item_ids, key=f"{seed}:item")[edges.items]
    drawn = _mix(users ^ _mix(items)).astype(np.float64) / 2.0**64
    return _cut(drawn, 1 - val - test, 1 - test)


def by_time(*, times: Ints, val: float, test: float) -> Parts:
    """Train on the past: the last `test` share of all edges tests, the `val` share before chooses.

    `times` (E,) may be in any unit. Edges of one instant stay together, on the earlier side of a
    cut, so that no part sees its own future.
    """
    _check_shares(val, test)
    n = len(times)
    before = np.searchsorted(np.sort(times), times, side="left")  # edges of earlier instants
    return _cut(before.astype(np.float64), n - round((val + test) * n), n - round(test * n))


def leave_last(edges: Interactions, *, times: Ints) -> Parts:
    """Test on each user's last item, choose on the one before; ties: the higher item is later.

    Users with fewer than three items keep them all in train.
    """
    order = np.lexsort((edges.items, times, edges.users))
    degrees = edges.user_degrees()
    from_end = np.repeat(edges.indptr()[1:], degrees) - np.arange(len(edges))  # 1 is the last
    long_enough = np.repeat(degrees >= 3, degrees)
    parts = np.full(len(edges), TRAIN, dtype=np.int8)
    parts[order[long_enough & (from_end == 1)]] = TEST
    parts[order[long_enough & (from_end == 2)]] = VAL
    return parts


def by_column(values: Sequence[str]) -> Parts:
    """Read an uploaded column of "train", "val" and "test": (E,).

    Raises:
        ValueError: another word stands there.
    """
    unknown = sorted(set(values) - NAMES.keys())
    if unknown:
        raise ValueError(f"split must be train, val or test, not {unknown[0]!r}")
    return np.fromiter((NAMES[value] for value in values), dtype=np.int8, count=len(values))


def core(edges: Interactions, *, min_user_degree: int, min_item_degree: int) -> Bools:
    """Return which edges remain when users and items of too few edges leave, to the end: (E,).

    Leaving lowers the degrees of others, so this repeats until nobody has to leave (k-core).
    """
    keep = np.ones(len(edges), dtype=np.bool_)
    while True:
        left = edges.where(keep)
        stays = keep & (left.user_degrees() >= min_user_degree)[edges.users]
        stays &= (left.item_degrees() >= min_item_degree)[edges.items]
        if (stays == keep).all():
            return keep
        keep = stays


def _cut(position: npt.NDArray[np.float64], val_from: float, test_from: float) -> Parts:
    parts = np.full(len(position), TRAIN, dtype=np.int8)
    parts[position >= val_from] = VAL
    parts[position >= test_from] = TEST
    return parts


def _check_shares(val: float, test: float) -> None:
    if val < 0 or test < 0 or val + test >= 1:
        raise ValueError(f"val = {val} and test = {test} leave nothing to train on")


def _hash_ids(ids: Sequence[str], *, key: str) -> npt.NDArray[np.uint64]:
    seal = key.encode()
    digests = b"".join(hashlib.blake2b(i.encode(), digest_size=8, key=seal).digest() for i in ids)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scramble 64 bits (splitmix64's finaliser), wrapping on overflow."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
