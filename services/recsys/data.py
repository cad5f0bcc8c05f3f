"""The nouns of the science: interactions, splits, batches, embeddings, signals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch
from torch import Tensor

from services.recsys import arrays

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Interactions:
    """A bipartite graph as a list of edges, unique and sorted by (user, item).

    The position of an edge in the list is its identity: histories and weights refer to it.
    `Interactions.build` sorts and deduplicates; the constructor refuses what is not in order.
    """

    users: Ints  # (E,)
    items: Ints  # (E,)
    n_users: int
    n_items: int
    weights: Floats | None = None  # (E,), None means 1 for every edge

    def __post_init__(self) -> None:
        """Raise ValueError for what is no sorted list of edges; it names the first fault."""
        arrays.check_edges(self.users, self.items, self.n_users, self.n_items, self.weights)
        late = np.flatnonzero(np.diff(self.keys()) <= 0)
        if len(late):
            one, next_ = ((int(self.users[at]), int(self.items[at])) for at in late[0] + [0, 1])
            raise ValueError(
                "edges must be unique and sorted by (user, item), as `build` leaves them: "
                f"{next_} stands after {one}"
            )

    @classmethod
    def build(
        cls,
        *,
        users: npt.ArrayLike,
        items: npt.ArrayLike,
        n_users: int,
        n_items: int,
        weights: npt.ArrayLike | None = None,
    ) -> Self:
        """Sort and deduplicate; a repeated pair keeps its largest weight.

        Raises ValueError as the constructor does; a fault is told by its place in what is given.
        """
        u, i = _ids(users), _ids(items)
        w = None if weights is None else np.asarray(weights, dtype=np.float32)
        arrays.check_edges(u, i, n_users, n_items, w)
        order = np.lexsort((i, u) if w is None else (-w, i, u))
        u, i = u[order], i[order]
        first = np.ones(len(u), dtype=np.bool_)
        first[1:] = (np.diff(u) != 0) | (np.diff(i) != 0)
        kept = None if w is None else w[order][first]
        return cls(u[first], i[first], n_users, n_items, kept)

    @classmethod
    def from_keys(cls, keys: Ints, *, n_users: int, n_items: int) -> Self:
        """Invert `keys`: unweighted edges from sorted unique user * n_items + item."""
        return cls(keys // n_items, keys % n_items, n_users, n_items)

    def __len__(self) -> int:
        return len(self.users)

    def keys(self) -> Ints:
        """One sorted integer per edge, user * n_items + item: (E,)."""
        return self.users * np.int64(self.n_items) + self.items

    def values(self) -> Floats:
        """Edge weights with 1 where none were given: (E,)."""
        return np.ones(len(self), dtype=np.float32) if self.weights is None else self.weights

    def indptr(self) -> Ints:
        """Edges of user u lie at [indptr[u], indptr[u + 1]): (U + 1,)."""
        return np.searchsorted(self.users, np.arange(self.n_users + 1)).astype(np.int64)

    def user_degrees(self) -> Ints:
        """Edges per user: (U,)."""
        return np.bincount(self.users, minlength=self.n_users).astype(np.int64)

    def item_degrees(self) -> Ints:
        """Edges per item: (I,)."""
        return np.bincount(self.items, minlength=self.n_items).astype(np.int64)

    def csr(self) -> sp.csr_matrix:
        """The weighted interaction matrix: (U, I) float32."""
        shape = (self.n_users, self.n_items)
        return sp.csr_matrix((self.values(), self.items, self.indptr()), shape=shape)

    def locate(self, *, users: Ints, items: Ints) -> Ints:
        """Position of each given pair in the list, -1 where it is no edge; any shape."""
        wanted = users * np.int64(self.n_items) + items
        if not len(self):
            return np.full(wanted.shape, -1, dtype=np.int64)
        keys = self.keys()
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, at, -1).astype(np.int64)

    def contains(self, *, users: Ints, items: Ints) -> Bools:
        """Whether each given pair is an edge; any shape."""
        return self.locate(users=users, items=items) >= 0

    def where(self, mask: Bools) -> "Interactions":
        """The edges for which the mask holds; same users and items exist."""
        weights = None if self.weights is None else self.weights[mask]
        return Interactions(self.users[mask], self.items[mask], self.n_users, self.n_items, weights)

    def union(self, other: "Interactions") -> "Interactions":
        """All edges of both, unweighted."""
        keys = np.union1d(self.keys(), other.keys())
        return Interactions.from_keys(keys, n_users=self.n_users, n_items=self.n_items)


def _ids(given: npt.ArrayLike) -> Ints:
    """Return ids as int64; what has another kind stays as it is, to be refused."""
    ids = np.asarray(given)
    whole = np.issubdtype(ids.dtype, np.integer) or not ids.size  # an empty list has no kind
    return ids.astype(np.int64) if whole else ids


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint interactions over the same users and items."""

    train: Interactions
    val: Interactions
    test: Interactions


@dataclass(frozen=True, eq=False)
class Batch:
    """Training pairs, on the model's device."""

    users: Tensor  # (B,) int64
    items: Tensor  # (B,) int64
    weights: Tensor  # (B,) float32, 1 where the pairs carry none


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Vectors whose dot product ranks items for users."""

    users: Tensor  # (U, d)
    items: Tensor  # (I, d)

    def scores(self, users: Tensor) -> Tensor:
        """All items for the given users: (B,) -> (B, I)."""
        return self.users[users] @ self.items.T

    def pairs(self, *, users: Tensor, items: Tensor) -> Tensor:
        """One score per pair: (B,), (B,) -> (B,)."""
        return (self.users.index_select(0, users) * self.items.index_select(0, items)).sum(-1)

    def detach(self) -> "Embeddings":
        """The same vectors outside the autograd graph."""
        return Embeddings(self.users.detach(), self.items.detach())

    def to(self, device: torch.device | str) -> "Embeddings":
        """The same vectors on another device."""
        return Embeddings(self.users.to(device), self.items.to(device))


@dataclass(frozen=True, eq=False)
class Signals:
    """What the texts and the LLM add to the interactions; every part may be missing.

    With none of them a denoiser trains on G alone: that is the raw model of a fair comparison.
    """

    aligned: Embeddings | None = None  # z_llm of Eq. 5-7: (U, d), (I, d)
    texts: Embeddings | None = None  # e of Eq. 4, unaligned: (U, d_llm), (I, d_llm)
    refined: Interactions | None = None  # G' of Eq. 17, its weights from the ratings
    hard: Interactions | None = None  # C_H of Eq. 15: never drawn as negatives

    def __post_init__(self) -> None:
        """Raise ValueError for vectors that are not finite or of different lengths."""
        for name in ("aligned", "texts"):
            vectors: Embeddings | None = getattr(self, name)
            if vectors is not None:
                arrays.check_vectors(name, vectors.users, vectors.items)

    def check(self, train: Interactions) -> None:
        """Raise ValueError where a part is of other users or items than the graph."""
        check_sizes(
            train,
            vectors={"aligned": self.aligned, "texts": self.texts},
            graphs={"refined": self.refined, "hard": self.hard},
        )


def check_sizes(
    train: Interactions,
    *,
    vectors: Mapping[str, Embeddings | None],
    graphs: Mapping[str, Interactions | None],
) -> None:
    """Raise ValueError where vectors or graphs, by name, are of other users or items than train."""
    for name, side in vectors.items():
        if side is not None:
            arrays.check_rows(f"{name}.users", len(side.users), train.n_users, "users")
            arrays.check_rows(f"{name}.items", len(side.items), train.n_items, "items")
    size = (train.n_users, train.n_items)
    for name, graph in graphs.items():
        if graph is not None and (graph.n_users, graph.n_items) != size:
            raise ValueError(
                f"{name} is a graph of {graph.n_users} users and {graph.n_items} items, "
                f"not of train's {size[0]} and {size[1]}"
            )
