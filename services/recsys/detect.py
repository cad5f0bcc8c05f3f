"""How much planted noise a score or a verdict catches, beside what degrees alone would catch.

Uniform fakes are easy: unpopular items betray them. Fakes drawn by popularity are less so, and of
those matched in degree no degree tells anything: plant all kinds, and read no figure without the
degree-only rows.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from services.recsys.data import Bools, Interactions, Ints
from services.recsys.metrics import auc, precision_recall

Scores = npt.NDArray[np.floating]
Kind = Literal["uniform", "popularity", "degree"]

KINDS: tuple[Kind, ...] = get_args(Kind)
ROUNDS = 200
"""Shuffles before a graph counts as too full for fakes that match it in degree."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """Figures of one detector; the fakes are the positive class."""

    auc: float  # that a fake is more suspicious than a true edge, ties half
    precision: float  # share of the flagged that is fake
    recall: float  # share of the fakes that is flagged
    flagged: int
    planted: int


def detect(suspicion: Scores, fake: Bools, *, flagged: Bools | None = None) -> Detection:
    """Compare suspicion (n,), high is suspicious, with the planted truth (n,).

    Without `flagged` the |fake| most suspicious edges count as flagged, the lower position first
    on a tie, so that precision and recall are the same number.

    Raises:
        ValueError: all edges are fake, or none is.
    """
    if flagged is None:
        flagged = np.zeros(len(fake), dtype=np.bool_)
        flagged[np.argsort(-suspicion, kind="stable")[: int(fake.sum())]] = True
    precision, recall = precision_recall(flagged, fake)
    return Detection(
        auc=auc(suspicion, fake),
        precision=precision,
        recall=recall,
        flagged=int(flagged.sum()),
        planted=int(fake.sum()),
    )


def degree_only(edges: Interactions, fake: Bools) -> dict[str, Detection]:
    """Return what low item degree and low user degree catch on their own."""
    return {
        "item_degree": detect(-edges.item_degrees()[edges.items].astype(np.float64), fake),
        "user_degree": detect(-edges.user_degrees()[edges.users].astype(np.float64), fake),
    }


def plant(
    edges: Interactions, *, share: float, kind: Kind, rng: np.random.Generator
) -> tuple[Interactions, Bools]:
    """Add share * |E| fake edges; return the noisy graph and which of its edges are fake.

    Users are uniform, and items uniform or in proportion to their degree; or both are those of
    as many edges, paired anew ("degree"), so that fakes have the degrees of true edges. The
    graph loses its weights.

    Raises:
        ValueError: the graph has not that many pairs left free.
    """
    wanted = round(share * len(edges))
    open_items = edges.n_items if kind == "uniform" else np.count_nonzero(edges.item_degrees())
    if 2 * (wanted + len(edges)) > edges.n_users * open_items:
        raise ValueError(f"no room for {wanted} fakes: over half of all pairs would be edges")
    keys = _paired_anew(edges, wanted, rng) if kind == "degree" else np.empty(0, dtype=np.int64)
    while len(keys) < wanted:
        fresh = np.setdiff1d(drawn(edges, wanted, kind, rng), np.concatenate([edges.keys(), keys]))
        keys = np.append(keys, rng.permutation(fresh)[: wanted - len(keys)])
    sizes = {"n_users": edges.n_users, "n_items": edges.n_items}
    noisy = edges.union(Interactions.from_keys(np.sort(keys), **sizes))
    return noisy, np.isin(noisy.keys(), keys)


def drawn(edges: Interactions, n: int, kind: Kind, rng: np.random.Generator) -> Ints:
    """Draw the keys of n pairs, edges or not, some perhaps twice: (n,)."""

    def ends(of_edges: Ints) -> Ints:
        return of_edges[rng.integers(len(edges), size=n)]  # in proportion to the degree

    items = rng.integers(edges.n_items, size=n) if kind == "uniform" else ends(edges.items)
    users = ends(edges.users) if kind == "degree" else rng.integers(edges.n_users, size=n)
    keys: Ints = users * np.int64(edges.n_items) + items
    return keys


def _paired_anew(edges: Interactions, wanted: int, rng: np.random.Generator) -> Ints:
    """Shuffle the items among `wanted` edges until every pair is new and there once."""
    chosen = rng.permutation(len(edges))[:wanted]
    users, items = edges.users[chosen], rng.permutation(edges.items[chosen])
    for _ in range(ROUNDS):
        keys: Ints = users * np.int64(edges.n_items) + items
        fine = np.zeros(len(keys), dtype=np.bool_)
        fine[np.unique(keys, return_index=True)[1]] = True
        fine &= ~np.isin(keys, edges.keys())
        if fine.all():
            return keys
        bad = np.flatnonzero(~fine)
        mixed = np.union1d(bad, rng.integers(len(keys), size=len(bad) + 1))
        items[mixed] = items[rng.permutation(mixed)]
    raise ValueError(f"no room for {wanted} fakes of the same degrees")
