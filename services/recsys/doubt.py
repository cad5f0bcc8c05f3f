"""What speaks for or against each edge, out of sample: the evidence that a posterior weighs.

No column may know the edge it speaks of: co-occurrence leaves the edge out, texts are compared
with the user's *other* items, and only a text that was given, never one composed of the train
items, may speak for a user.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, issparse
from torch.nn.functional import normalize

from services.recsys.data import Embeddings, Floats, Interactions
from services.recsys.suspicion import leave_one_out, text_cosine
from services.recsys.texts import centred

Columns = npt.NDArray[np.float64]

_STEEP = 5.0
"""Co-occurrence is mostly below .2: ln(1 + 5s) spreads it evenly enough for a logistic."""
_NEAREST = 3

Likeness = csr_matrix | Floats
"""One unit row an item, sparse words or dense vectors: (I, p); a missing text is zeros."""


def columns(
    train: Interactions,
    *,
    items: Sequence[Likeness] = (),
    given: Embeddings | None = None,
) -> Columns:
    """Return the evidence on every edge: (E, 4 + 3 * len(items) + 1 if `given`).

    Args:
        train: the graph; its weights are not used.
        items: ways in which items are alike; see `unit_vectors`.
        given: text vectors of both sides, where users' texts were not made of the train items.
    """
    both = leave_one_out(train), _by_users(train)
    degrees = train.user_degrees()[train.users], train.item_degrees()[train.items]
    found = [*(np.log1p(_STEEP * score) for score in both), *(np.log(one) for one in degrees)]
    found += [column for one in items for column in _with_others(train, one)]
    if given is not None:
        found.append(text_cosine(given, users=train.users, items=train.items))
    return np.column_stack(found)


def unit_vectors(texts: Embeddings) -> Floats:
    """Return the items' centred text vectors at length 1: (I, d)."""
    rows: Floats = normalize(centred(texts).items, dim=1).numpy()
    return rows


def _by_users(train: Interactions) -> Columns:
    """Return leave-one-out co-occurrence of users: how the item's other people are like u."""
    turned = Interactions.build(
        users=train.items, items=train.users, n_users=train.n_items, n_items=train.n_users
    )
    scores = np.empty(len(train))
    scores[np.lexsort((train.users, train.items))] = leave_one_out(turned)
    return scores


def _with_others(train: Interactions, rows: Likeness) -> list[Columns]:
    """Return each edge's mean, nearest-three and nearest likeness to the user's other items."""
    found = np.zeros((3, len(train)))
    starts = train.indptr()
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        if end - begin > 1:
            found[:, begin:end] = _among(rows[train.items[begin:end]])
    return list(found)


def _among(own: Likeness) -> Columns:
    """Return mean, nearest-three and nearest likeness of each of n > 1 rows to the rest: (3, n)."""
    product = own @ own.T
    alike = product.toarray() if issparse(product) else product
    others = len(alike) - 1
    np.fill_diagonal(alike, -np.inf)
    nearest = -np.partition(-alike, min(_NEAREST, others) - 1, axis=1)[:, :_NEAREST][:, :others]
    np.fill_diagonal(alike, 0.0)
    mean = alike.sum(axis=1) / others
    return np.stack([mean, nearest.mean(axis=1), nearest.max(axis=1)]).astype(np.float64)
