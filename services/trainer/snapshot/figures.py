"""What a snapshot counts, and whether that is enough."""

from typing import Any

import numpy as np

from services.recsys.data import Interactions, Ints, Split
from services.trainer.errors import TooSmallError

MIN_USERS, MIN_ITEMS, MIN_JUDGED = 10, 10, 5
"""Below these a recall is a matter of single people; judged: users with an item to be found."""


def counts(split: Split, edges: Interactions) -> dict[str, Any]:
    """Return the sizes of the graph and of its parts."""
    return {
        "users": edges.n_users,
        "items": edges.n_items,
        "interactions": len(edges),
        "train": len(split.train),
        "val": len(split.val),
        "test": len(split.test),
        "density": len(edges) / max(edges.n_users * edges.n_items, 1),
        "user_degrees": _spread(split.train.user_degrees()),
        "item_degrees": _spread(split.train.item_degrees()),
    }


def check_enough(split: Split) -> None:
    """Raise TooSmallError, with counts and minima, when training or judging makes no sense."""
    train = split.train
    found = {
        "users with training interactions": (np.unique(train.users).size, MIN_USERS),
        "items with training interactions": (np.unique(train.items).size, MIN_ITEMS),
        "users with validation items": (np.unique(split.val.users).size, MIN_JUDGED),
        "users with test items": (np.unique(split.test.users).size, MIN_JUDGED),
    }
    short = [f"{n} {what} (at least {least})" for what, (n, least) in found.items() if n < least]
    if short:
        raise TooSmallError(f"Too little data: {', '.join(short)}.")
    if int(train.user_degrees().max()) >= train.n_items:
        raise TooSmallError("A user has taken every item: nothing is left to recommend.")


def _spread(degrees: Ints) -> dict[str, float]:
    return {
        "min": int(degrees.min()),
        "median": float(np.median(degrees)),
        "mean": round(float(degrees.mean()), 3),
        "max": int(degrees.max()),
    }
