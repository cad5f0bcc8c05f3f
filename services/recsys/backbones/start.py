"""Where training starts: small normal vectors, or the singular vectors of the graph."""

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from services.recsys.data import Floats, Interactions
from services.recsys.spectrum import leading

_NORMAL_STD = 0.1  # LightGCN's code: nn.init.normal_(std=0.1)
_SVD_STD = 0.03  # smaller turns faster under cosines: docs/methods/llmhni.md, "The start"


def normal(n_nodes: int, *, d: int, rng: torch.Generator) -> Tensor:
    """Entries from N(0, 0.1^2): (N, d)."""
    return torch.randn((n_nodes, d), generator=rng) * _NORMAL_STD


def svd(train: Interactions, *, d: int, rng: np.random.Generator) -> Floats:
    """The truncated SVD of D_u^-1/2 R D_i^-1/2 as U sqrt(S) over V sqrt(S): (N, d).

    Scaled to one standard deviation, so that a learning rate serves every size of graph.
    Columns beyond the graph's rank, or beyond min(U, I) - 1, start as normal noise.
    """
    first = rng.standard_normal(min(train.n_users, train.n_items))
    left, values, right = leading(_normalised(train), d, start=first)
    X = np.concatenate([left, right.T]) * np.sqrt(values)
    X *= _SVD_STD / (X.std() if X.size else 1.0)
    noise = rng.standard_normal((len(X), d - len(values)), dtype=np.float32) * _SVD_STD
    return np.concatenate([X, noise], axis=1)


def _normalised(train: Interactions) -> sp.csr_matrix:
    R = train.csr().astype(np.float64)
    users = np.asarray(R.sum(axis=1)).ravel()
    items = np.asarray(R.sum(axis=0)).ravel()
    R.data /= np.sqrt(users[train.users] * items[train.items])
    return R
