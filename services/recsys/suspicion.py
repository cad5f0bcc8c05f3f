"""How well each training edge fits: low scores are suspicious.

A model scores the edges it was trained on as if they were good, so the scores here either leave
the edge itself out (`leave_one_out`; `plausibility.plausibility` weighs more evidence), or never
saw the edges (`text_cosine`); the pretrained model's own scores (`pair_scores`) are in sample and
kept as an option. Every function returns one float64 per pair.
"""

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix
from torch.nn.functional import normalize

from services.recsys.data import Embeddings, Interactions, Ints
from services.recsys.metrics import average_ranks
from services.recsys.texts import centred
from services.recsys.topk import ScoreBlock, blocks

Scores = npt.NDArray[np.float64]

DIGITS = 9  # of a sum of cosines: what is exactly 0 on paper must tie at 0 here


def leave_one_out(train: Interactions, *, block: int = 256) -> Scores:
    """Return each edge's item-item co-occurrence with the rest of its user's history: (E,)."""
    return support(train, users=train.users, items=train.items, block=block)


def support(train: Interactions, *, users: Ints, items: Ints, block: int = 256) -> Scores:
    """Return each pair's item-item co-occurrence with the rest of its user's history: (n,).

    For the pair (u, i) this is the sum over u's other items j of cos(r_i, r_j), in the graph
    without (u, i): where it is an edge, u no longer counts in <r_i, r_j>, and i has one user
    less. Weights are not used. Takes O(block * I) memory beside the (I, I) sparse co-occurrence
    counts.
    """
    ones = Interactions(train.users, train.items, train.n_users, train.n_items).csr()
    ones = ones.astype(np.float64)
    degrees = train.item_degrees().astype(np.float64)
    shrink = 1.0 / np.sqrt(np.maximum(degrees, 1.0))  # |r_j|^-1, (I,)
    scaled = csr_matrix(ones.multiply(shrink))  # (U, I)
    together = csr_matrix(ones.T @ ones)

    def summed(some: Ints) -> npt.NDArray[np.float64]:
        return (scaled[some] @ together).toarray()

    raw = pair_scores(summed, users=users, items=items, block=block)
    mine = train.contains(users=users, items=items)
    own = np.asarray(scaled.sum(axis=1)).ravel()[users] - shrink[items]
    itself = (degrees * shrink)[items]  # j = i, which is no other item
    rest = raw - np.where(mine, itself + own, 0.0)
    others = degrees[items] - mine  # |r_i|^2 without u
    scores: Scores = np.where(others > 0, rest / np.sqrt(np.maximum(others, 1.0)), 0.0)
    return scores.round(DIGITS)


def pair_scores(score_block: ScoreBlock, *, users: Ints, items: Ints, block: int = 256) -> Scores:
    """Return a model's score of each pair (n,), computed by blocks of distinct users."""
    scores = np.empty(len(users), dtype=np.float64)
    order = np.argsort(users, kind="stable")
    distinct, starts = np.unique(users[order], return_index=True)
    ends = np.append(starts[1:], len(users))
    for places in blocks(np.arange(len(distinct)), block):
        rows = order[starts[places[0]] : ends[places[-1]]]
        dense = score_block(distinct[places])
        scores[rows] = dense[np.searchsorted(distinct[places], users[rows]), items[rows]]
    return scores


def text_cosine(texts: Embeddings, *, users: Ints, items: Ints, block: int = 65_536) -> Scores:
    """Return the cosine of each pair's centred text vectors: (n,), 0 where a text is missing."""
    apart = centred(texts)
    u, i = normalize(apart.users, dim=1), normalize(apart.items, dim=1)
    found = [np.empty(0)]
    for rows in blocks(np.arange(len(users)), block):
        left, right = torch.from_numpy(users[rows]), torch.from_numpy(items[rows])
        found.append((u[left] * i[right]).sum(1).double().numpy())
    return np.concatenate(found)


def rank_average(*scores: Scores) -> Scores:
    """Return the mean of each pair's ranks, scaled to (0, 1]; ties share their middle rank."""
    mean: Scores = np.mean([average_ranks(one) / len(one) for one in scores], axis=0)
    return mean
