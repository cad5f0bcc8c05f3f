"""EASE's word on a training edge as if the edge were not there: exact, from one inverse.

EASE (Steck 2019) regresses item i on all others by ridge; taking (u, i) out of R changes one
target of that regression, r_ui from 1 to 0, and none of its inputs, because i is no input of its
own. Least squares then give (the PRESS residual of Allen 1974, for a changed target)

    s_ui^out = s_ui - h_ui,  h_ui = x' H_i^-1 x,  x = r_u without i,

H_i being R'R + lam I without row and column i. With P = (R'R + lam I)^-1 and t = r_u P,
H_i^-1 = P - P_i P_i' / P_ii, so s_ui = 1 - t_i / P_ii and
h_ui = t r_u' - 2 t_i + P_ii - s_ui^2 P_ii.
"""

import numpy as np
from scipy.sparse import csr_matrix

from services.recsys.closed_forms.ease import inverse
from services.recsys.data import Interactions
from services.recsys.suspicion import Scores
from services.recsys.topk import blocks, cells


def ease_scores(
    train: Interactions, *, lam: float = 200.0, block: int = 256
) -> tuple[Scores, Scores]:
    """Return EASE's score of every edge, in sample and with the edge left out: (E,), (E,).

    Weights are not used. Takes O(I^3) time and two (I, I) float32 arrays, as EASE does.
    """
    R = Interactions(train.users, train.items, train.n_users, train.n_items).csr()
    gram = np.asfortranarray((R.T @ R).toarray(), dtype=np.float32)
    gram[np.diag_indices_from(gram)] += lam
    P = inverse(gram)
    diagonal = np.diag(P).astype(np.float64)
    found = [_of_block(R, P, users) for users in blocks(np.arange(train.n_users), block)]
    t, leverage = (np.concatenate([np.empty(0), *side]) for side in zip(*found, strict=True))
    own = diagonal[train.items]
    score = 1.0 - t / own
    return score, score - (leverage - 2 * t + own - score**2 * own)


def _of_block(R: csr_matrix, P: np.ndarray, users: np.ndarray) -> tuple[Scores, Scores]:
    """Return t_i and t r_u' at every edge of the users, in the order of edges."""
    at = cells(R, users)
    T = R[users] @ P  # (b, I)
    t = T[at].astype(np.float64)
    whole = np.zeros(len(users))
    np.add.at(whole, at[0], t)
    return t, whole[at[0]]
