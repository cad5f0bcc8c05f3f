"""How much planted noise a score or a verdict catches, beside what degrees alone would catch.

Uniform fakes are easy: unpopular items betray them. Fakes drawn by popularity are not, so plant
both kinds, and read no figure without the degree-only rows.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from services.recsys.data import Bools, Interactions, Ints
from services.recsys.metrics import auc, precision_recall

Scores = npt.NDArray[np.floating]


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
    edges: Interactions,
    *,
    share: float,
    kind: Literal["uniform", "popularity"],
    rng: np.random.Generator,
) -> tuple[Interactions, Bools]:
    """Add share * |E| fake edges; return the noisy graph and which of its edges are fake.

    Users are uniform; items are uniform, or in proportion to their degree. The graph loses its
    weights.

    Raises:
        ValueError: the graph has not that many pairs left free.
    """
    wanted = round(share * len(edges))
    degrees = edges.item_degrees().astype(np.float64)
    chances = None if kind == "uniform" else degrees / degrees.sum()
    open_items = edges.n_items if chances is None else np.count_nonzero(degrees)
    if 2 * (wanted + len(edges)) > edges.n_users * open_items:
        raise ValueError(f"no room for {wanted} fakes: over half of all pairs would be edges")
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < wanted:
        drawn = _draw(edges, wanted, chances, rng)
        fresh = np.setdiff1d(drawn, np.concatenate([edges.keys(), keys]))
        keys = np.append(keys, rng.permutation(fresh)[: wanted - len(keys)])
    sizes = {"n_users": edges.n_users, "n_items": edges.n_items}
    noisy = edges.union(Interactions.from_keys(np.sort(keys), **sizes))
    return noisy, np.isin(noisy.keys(), keys)


def _draw(
    edges: Interactions, n: int, chances: npt.NDArray[np.float64] | None, rng: np.random.Generator
) -> Ints:
    items = rng.choice(edges.n_items, size=n, p=chances)
    return rng.integers(edges.n_users, size=n) * edges.n_items + items
