"""LightGCN's training step, one lever after the other: the contestants of the speed bench.

Each is made from the same start and given the same batches with the same negatives, so that the
losses of the exact ones are the same numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from services.recsys.adjacency import Adjacency
from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.backbones.start import svd
from services.recsys.data import Batch, Embeddings, Interactions, Ints
from services.recsys.losses import bpr, l2
from services.recsys.methods.bpr import BPR, Config
from services.recsys.propagate import multiply, multiply_from, multiply_rows, propagate
from services.recsys.seeds import Seeds
from services.trainer.bench.reference_lightgcn import Reference

D, LAYERS, LR, LAMBDA = 64, 3, 1e-3, 1e-4
STD = 0.1  # of the start, as in LightGCN-PyTorch
CPU = torch.device("cpu")
USUAL = "usual: COO, torch.sparse.mm under autograd"
SHIPS = "what ships: these, the loss under autograd"

Step = Callable[[Tensor, Tensor, Tensor], float]
"""Trains on users, positives and negatives, each (B,); returns the loss."""


@dataclass(frozen=True, kw_only=True)
class Lever:
    """One row: what is switched on, and whether its losses must be the reference's."""

    name: str
    make: Callable[[Interactions, Tensor], Step]
    exact: bool = True


def levers() -> list[Lever]:
    """Return the rows in the order in which the levers were pulled, each with those above it."""
    return [
        Lever(name=USUAL, make=usual),
        Lever(name="CSR by embedding_bag, Horner, Â its own gradient", make=_plain(fused=False)),
        Lever(name="+ fused Adam", make=_plain(fused=True)),
        Lever(
            name="+ last layer for the batch's rows, gradients by hand",
            make=lambda *given: ByHand(*given, from_rows=False).step,
        ),
        Lever(name="+ the way back from these rows alone", make=lambda *given: ByHand(*given).step),
        Lever(name=SHIPS, make=product),
        Lever(name="what ships, nodes by degree", make=_reordered(_by_degree)),
        Lever(name="what ships, nodes by singular vectors", make=_reordered(_by_spectrum)),
        Lever(
            name="by hand, rows and products in bf16",
            make=lambda *given: half(*given).step,
            exact=False,
        ),
    ]


class Given(BPR):
    """The product's method on negatives that somebody else drew."""

    negatives: Tensor

    def _drawn(self, batch: Batch, everyone: Embeddings | None) -> tuple[Tensor, Tensor | None]:
        del batch, everyone
        return self.negatives, None


def config() -> Config:
    """Return the bench's LightGCN: three layers, BPR, a uniform negative."""
    return Config(
        d=D, n_layers=LAYERS, lr=LR, lambda_reg=LAMBDA, loss="bpr", start="normal", B=1024
    )


def usual(train: Interactions, start: Tensor) -> Step:
    """Make the frozen reference."""
    return Reference(train, start, n_layers=LAYERS, lr=LR, lambda_reg=LAMBDA).step


def product(train: Interactions, start: Tensor) -> Step:
    """Make what ships: BPR on LightGCN as the loop steps it."""
    method = Given(config(), LightGCN, train, seeds=Seeds(0), device=CPU)
    method.backbone.X.data.copy_(start)
    adam = torch.optim.Adam(method.parameters(), lr=LR, fused=True)

    def step(users: Tensor, positives: Tensor, negatives: Tensor) -> float:
        method.negatives = negatives
        total = method.loss(Batch(users, positives, torch.ones(len(users))), 0).total()
        return descend(adam, total)

    return step


def descend(adam: torch.optim.Optimizer, total: Tensor) -> float:
    """Take one step of the optimiser; return the loss."""
    adam.zero_grad()
    total.backward()  # type: ignore[no-untyped-call] # torch's own
    adam.step()
    return float(total.detach())


def _plain(*, fused: bool) -> Callable[[Interactions, Tensor], Step]:
    """Every row in every layer, and the loss under autograd."""

    def make(train: Interactions, start: Tensor) -> Step:
        graph, entries = _graph(train)
        own = torch.nn.Parameter(start.clone())
        adam = torch.optim.Adam([own], lr=LR, fused=fused)

        def step(users: Tensor, positives: Tensor, negatives: Tensor) -> float:
            z = propagate(graph, entries, own, n_layers=LAYERS)
            u, i, j = users, positives + train.n_users, negatives + train.n_users
            rank = bpr(positive=(z[u] * z[i]).sum(1), negative=(z[u] * z[j]).sum(1)).mean()
            return descend(adam, rank + LAMBDA * l2(own[u], own[i]))

        return step

    return make


def _graph(train: Interactions) -> tuple[Adjacency, Tensor]:
    graph = Adjacency.of(train)
    return graph, graph.normalise(torch.ones(len(train)))


class ByHand:
    """The last layer for the batch's rows, and every gradient written out: no autograd at all.

    The products are made in `dtype`; the free vectors, the loss and Adam stay in float32.
    """

    def __init__(
        self,
        train: Interactions,
        start: Tensor,
        *,
        from_rows: bool = True,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._train, self._from_rows, self._dtype = train, from_rows, dtype
        self._graph, self._weights = _graph(train)
        self._entries = self._weights.to(dtype)
        self._free = torch.nn.Parameter(start.clone())
        self._adam = torch.optim.Adam([self._free], lr=LR, fused=True)

    def step(self, users: Tensor, positives: Tensor, negatives: Tensor) -> float:
        """Train on one batch, each (B,); return the loss."""
        graph, n_users = self._graph, self._train.n_users
        named = torch.cat([users, positives + n_users, negatives + n_users])
        nodes, at = torch.unique(named, return_inverse=True)
        rows, ego = graph.rows(self._entries, nodes), self._free.detach()[nodes]
        h = free = self._free.detach().to(self._dtype)
        for _ in range(LAYERS - 1):
            h = multiply(graph, self._entries, h).add_(free)
        z = (multiply_rows(rows, h).float() + ego).div_(LAYERS + 1)
        loss, of_z, of_ego = _gradient(z, ego, at, len(users))
        of_z = of_z.div_(LAYERS + 1).to(self._dtype)
        g = multiply_from(rows, of_z) if self._from_rows else self._scattered(nodes, of_z)
        for _ in range(LAYERS - 1):
            g = multiply(graph, self._entries, g.index_add_(0, nodes, of_z))
        self._free.grad = g.float().index_add_(0, nodes, of_z.float() + of_ego)
        self._adam.step()
        return loss

    def embeddings(self) -> Embeddings:
        """All vectors as they would be served, in float32."""
        z = propagate(self._graph, self._weights, self._free.detach(), n_layers=LAYERS)
        return Embeddings(z[: self._train.n_users], z[self._train.n_users :])

    def _scattered(self, nodes: Tensor, rows: Tensor) -> Tensor:
        whole = torch.zeros((self._graph.n_nodes, rows.shape[1]), dtype=rows.dtype)
        return multiply(self._graph, self._entries, whole.index_add_(0, nodes, rows))


def half(train: Interactions, start: Tensor) -> ByHand:
    """Make the one whose rows and products are bf16."""
    return ByHand(train, start, from_rows=False, dtype=torch.bfloat16)


def _gradient(z: Tensor, ego: Tensor, at: Tensor, size: int) -> tuple[float, Tensor, Tensor]:
    """The loss, and its gradient in the rows of z and of the free vectors: (R, d) both."""
    u, i, j = torch.split(z.index_select(0, at), size)
    apart = j - i
    gap = (u * apart).sum(1)
    pull = (torch.sigmoid(gap) / size).unsqueeze(1)
    of_pairs = torch.cat([pull * apart, -pull * u, pull * u])
    of_z = torch.zeros_like(z).index_add_(0, at, of_pairs)
    times = torch.bincount(at[: 2 * size], minlength=len(z)).to(z.dtype)
    of_ego = ego * (times * (LAMBDA / size)).unsqueeze(1)
    loss = torch.nn.functional.softplus(gap).mean() + (of_ego * ego).sum() / 2
    return float(loss), of_z, of_ego


def _reordered(order: Callable[[Interactions], tuple[Ints, Ints]]) -> Callable[..., Step]:
    """What ships on nodes in another order: `order` gives each side's old number by the new."""

    def make(train: Interactions, start: Tensor) -> Step:
        users, items = order(train)
        new_user, new_item = np.argsort(users), np.argsort(items)
        moved = Interactions.build(
            users=new_user[train.users],
            items=new_item[train.items],
            n_users=train.n_users,
            n_items=train.n_items,
        )
        moved_start = torch.cat([start[users], start[items + train.n_users]])
        step, u, i = (
            product(moved, moved_start),
            torch.from_numpy(new_user),
            torch.from_numpy(new_item),
        )
        return lambda users, positives, negatives: step(u[users], i[positives], i[negatives])

    return make


def _by_degree(train: Interactions) -> tuple[Ints, Ints]:
    degrees = (train.user_degrees(), train.item_degrees())
    users, items = (np.argsort(-side, kind="stable") for side in degrees)
    return users, items


def _by_spectrum(train: Interactions) -> tuple[Ints, Ints]:
    """Order by the second singular vectors of the normalised graph: the two sides meet in it."""
    second = svd(train, d=2, rng=np.random.default_rng(0))[:, 1]
    degrees = np.concatenate([train.user_degrees(), train.item_degrees()])
    place = second / np.sqrt(np.maximum(degrees, 1))
    return np.argsort(place[: train.n_users]), np.argsort(place[train.n_users :])
