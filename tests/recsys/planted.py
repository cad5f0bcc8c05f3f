"""Small graphs with a truth: random ones, and two circles of taste with planted noise."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from services.recsys.data import Embeddings, Interactions


def random_graph(
    seed: int, *, n_users: int = 7, n_items: int = 9, edges: int = 25, weighted: bool = False
) -> Interactions:
    """Random edges; some users and items stay without any."""
    rng = np.random.default_rng(seed)
    return Interactions.build(
        users=rng.integers(0, n_users - 1, edges),
        items=rng.integers(0, n_items - 1, edges),
        n_users=n_users,
        n_items=n_items,
        weights=rng.uniform(0.1, 2.0, edges) if weighted else None,
    )


def triples(graph: Interactions) -> list[tuple[int, int, float]]:
    """(user, item, weight) of every edge."""
    return list(
        zip(graph.users.tolist(), graph.items.tolist(), graph.values().tolist(), strict=True)
    )


@dataclass(frozen=True, eq=False)
class Circles:
    """Users like items of their own circle; noise crosses it."""

    train: Interactions  # with the noise
    clean: Interactions  # without
    noise: np.ndarray  # (E,) bool over the train edges


def circles(
    seed: int, *, n_users: int = 60, n_items: int = 40, shown: int = 8, planted: int = 1
) -> Circles:
    """Two circles by parity; each user has `shown` own items and `planted` foreign ones."""
    rng = np.random.default_rng(seed)
    pairs: dict[str, list[tuple[int, int]]] = {"clean": [], "noise": []}
    for user in range(n_users):
        own = rng.permutation(np.arange(user % 2, n_items, 2))
        foreign = rng.permutation(np.arange(1 - user % 2, n_items, 2))
        pairs["clean"] += [(user, int(item)) for item in own[:shown]]
        pairs["noise"] += [(user, int(item)) for item in foreign[:planted]]

    def build(name: str) -> Interactions:
        users, items = np.array(pairs[name]).T
        return Interactions.build(users=users, items=items, n_users=n_users, n_items=n_items)

    clean, noise = build("clean"), build("noise")
    train = clean.union(noise)
    planted_edges = noise.contains(users=train.users, items=train.items)
    return Circles(train, clean, planted_edges)


def auc(*, high: np.ndarray, low: np.ndarray) -> float:
    """Chance that one of the high is above one of the low, ties half."""
    difference = high[:, None] - low[None, :]
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def held_out_auc(z: Embeddings, world: Circles) -> float:
    """Unseen items of a user's circle against those of the other, mean over users."""
    scores, seen = (z.users @ z.items.T).numpy(), world.train.csr().toarray() > 0
    items = np.arange(scores.shape[1])
    per_user = [
        auc(
            high=row[~seen[user] & (items % 2 == user % 2)],
            low=row[~seen[user] & (items % 2 != user % 2)],
        )
        for user, row in enumerate(scores)
    ]
    return float(np.mean(per_user))


def vectors(seed: int, *shape: int) -> Tensor:
    """Standard normal numbers in float64."""
    generator = torch.Generator()
    return torch.randn(shape, generator=generator.manual_seed(seed), dtype=torch.float64)
