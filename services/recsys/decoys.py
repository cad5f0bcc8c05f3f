"""How likely each edge is noise, learned from decoys: fakes that we plant ourselves.

Nobody knows which edges are noise, but of edges that were planted a moment ago everybody does. A
logistic of the evidence learns to tell them from the rest of the graph and is then asked about
the graph without them. The rest holds the noise we look for, too: that dampens the log odds
(learning from positive and unlabelled examples, Elkan and Noto 2008) and leaves their order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import minimize

from services.recsys.data import Bools, Interactions
from services.recsys.detect import plant
from services.recsys.doubt import Columns
from services.recsys.suspicion import Scores

Witness = Callable[[Interactions], Columns]
"""The evidence on every edge of any graph: (E, n)."""

_FAR = 4.0
"""Standard deviations beyond which evidence says no more."""


@dataclass(frozen=True, kw_only=True)
class DecoyConfig:
    """How the decoys are planted and the logistic is held back."""

    share: float = 0.1  # decoys per edge
    popular: float = 0.5  # of them, drawn by the items' popularity; the rest uniformly
    l2: float = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class Logistic:
    """ln P(decoy)/P(other) of the evidence, its squares and products, both kinds equally likely."""

    mean: Columns  # (n,)
    spread: Columns  # (n,)
    weights: Columns  # (1 + n + n(n+1)/2,)

    @classmethod
    def fit(cls, evidence: Columns, decoys: Bools, *, l2: float) -> Self:
        """Minimise the balanced log loss + l2 |w|^2 (the constant is free); (E, n), (E,)."""
        spread = evidence.std(axis=0)
        mean, spread = evidence.mean(axis=0), np.where(spread > 0, spread, 1.0)
        X = _expanded((evidence - mean) / spread)
        sign = np.where(decoys, 1.0, -1.0)
        share = np.where(decoys, decoys.mean(), 1 - decoys.mean()) * 2 * len(X)

        def loss(w: Columns) -> tuple[float, Columns]:
            margin = sign * (X @ w)
            slope = -sign / (1 + np.exp(np.clip(margin, -500, 500))) / share
            held = np.append(0.0, w[1:])
            value = float((np.logaddexp(0, -margin) / share).sum() + l2 * held @ held)
            return value, X.T @ slope + 2 * l2 * held

        found = minimize(loss, np.zeros(X.shape[1]), jac=True, method="L-BFGS-B")
        return cls(mean=mean, spread=spread, weights=found.x)

    def log_odds(self, evidence: Columns) -> Scores:
        """Return the log odds that an edge was planted: (E, n) -> (E,)."""
        odds: Scores = _expanded((evidence - self.mean) / self.spread) @ self.weights
        return odds


@dataclass(frozen=True, kw_only=True, eq=False)
class Baited:
    """A graph with decoys among its edges."""

    graph: Interactions
    decoys: Bools  # (E',)

    def back(self, train: Interactions) -> np.ndarray:
        """Return where the edges of `train` stand in the baited graph: (E,)."""
        return self.graph.locate(users=train.users, items=train.items)


def bait(train: Interactions, *, config: DecoyConfig, rng: np.random.Generator) -> Baited:
    """Plant decoys, some uniformly, some by popularity."""
    share = config.share * (1 - config.popular)
    first, _ = plant(train, share=share, kind="uniform", rng=rng)
    rest = (round(config.share * len(train)) - (len(first) - len(train))) / len(first)
    graph, _ = plant(first, share=rest, kind="popularity", rng=rng)
    decoys = ~train.contains(users=graph.users, items=graph.items)
    return Baited(graph=graph, decoys=decoys)


def noise_log_odds(
    train: Interactions, witness: Witness, *, config: DecoyConfig, rng: np.random.Generator
) -> Scores:
    """Return each edge's log odds of being noise, were half of all edges noise: (E,)."""
    baited = bait(train, config=config, rng=rng)
    taught = Logistic.fit(witness(baited.graph), baited.decoys, l2=config.l2)
    return taught.log_odds(witness(train))


def _expanded(standard: Columns) -> Columns:
    """Return 1, the columns, their squares and products: (E, n) -> (E, 1 + n + n(n+1)/2)."""
    Z = np.clip(standard, -_FAR, _FAR)
    rows, columns = np.triu_indices(Z.shape[1])
    return np.column_stack([np.ones(len(Z)), Z, Z[:, rows] * Z[:, columns]])
