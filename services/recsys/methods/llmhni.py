"""LLMHNI: semantic hard negatives and logical denoising by an LLM (arXiv 2511.07295).

L = L_rec + lambda_1 L_de + lambda_2 L_hal + reg (Eq. 23); docs/methods/llmhni.md maps equations
to lines and tells where the paper is silent or read otherwise.
"""

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from services.recsys.adjacency import Adjacency, edge_weights
from services.recsys.augment import drop_edges
from services.recsys.backbones import Backbone, Start, starting_vectors
from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.data import Batch, Embeddings, Interactions, Signals
from services.recsys.losses import infonce, weighted_mean
from services.recsys.objective import Loss, Method
from services.recsys.ranges import COUNT, NATURAL, PART, POSITIVE, check
from services.recsys.ranking import (
    Met,
    RankingLoss,
    bpr_pairs,
    scoring,
    shrinkage,
    softmax_pairs,
)
from services.recsys.samplers.semantic_hard import Pool, SemanticHard
from services.recsys.samplers.shared import Shared
from services.recsys.samplers.uniform import Uniform
from services.recsys.seeds import Seeds


@dataclass(frozen=True)
class Config:
    """The paper's symbols; `default` and `paper` are the two presets."""

    d: int = 64
    n_layers: int = 2  # L
    epochs: int = 12
    B: int = 2048
    lr: float = 3e-3
    start: Start = "svd"
    loss: RankingLoss = "sampled_softmax"  # the paper's is bpr, Eq. 11
    n_shared: int = 512  # shared negatives of the softmax
    tau: float = 0.15  # of the softmax
    M: int = 30  # fresh items that join a pool
    K: int = 10  # members of a pool HN_u
    pool: Pool = "softmax"
    T: float = 0.25  # of pool="softmax"
    lambda_1: float = 0.1  # of L_de
    lambda_2: float = 0.1  # of L_hal
    lambda_reg: float = 0.0
    tau_de: float = 0.3
    tau_hal: float = 0.3
    rho: float = 0.2  # share of edges a view drops
    positives: Literal["edges", "refined"] = "refined"  # pairs trained on: E as printed, or E'
    contrast: Literal["batch", "sample"] = "batch"  # L_hal over the batch's nodes, or 10 % of all
    n_contrast: int = 512  # pairs of a batch that enter L_de and, with contrast="batch", L_hal
    contrast_in: Literal["float32", "bfloat16"] = "float32"  # z', views, their likeness; LightGCN
    every: int = 1  # L_de and L_hal on an epoch's first batch and each so many-th, as many-fold
    semantic: bool = True  # off: uniform negatives (Table 2)
    align: bool = True  # off: the sampler compares the texts unaligned (Table 2)
    de: bool = True  # off: no L_de (Table 2)
    hal: bool = True  # off: no L_hal (Table 2)

    def __post_init__(self) -> None:
        """Raise ValueError for a field outside its range."""
        check(
            self,
            **dict.fromkeys(("d", "epochs", "B", "n_shared", "M", "K"), COUNT),
            **dict.fromkeys(("n_contrast", "every"), COUNT),
            **dict.fromkeys(("lr", "tau", "T", "tau_de", "tau_hal"), POSITIVE),
            **dict.fromkeys(("n_layers", "lambda_1", "lambda_2", "lambda_reg"), NATURAL),
            rho=PART,
        )

    @classmethod
    def default(cls) -> Self:
        """What trains well in minutes on a CPU; measured in docs/methods/llmhni.md."""
        return cls()

    @classmethod
    def paper(cls) -> Self:
        """The printed recipe; L, the lambdas and taus are not printed: the grid's middle."""
        return cls(
            B=1024,
            lr=1e-3,
            epochs=200,
            start="normal",
            loss="bpr",
            pool="relu",
            lambda_1=0.5,
            lambda_2=0.5,
            tau_de=0.5,
            tau_hal=0.5,
            positives="edges",
            n_contrast=1024,
            lambda_reg=1e-4,
        )


class LLMHNI(Method):
    """A backbone trained on G and G' together.

    Parts of the signals may be missing: with no G', G' = G; with no texts, negatives are
    uniform. A backbone without a graph (MF) has no L_de and no L_hal. ValueError for contrasts in
    bfloat16 of another backbone than LightGCN, and for signals of other users or items.
    """

    def __init__(
        self,
        config: Config,
        backbone: type[Backbone],
        train: Interactions,
        signals: Signals,
        *,
        seeds: Seeds,
        device: torch.device,
    ) -> None:
        super().__init__()
        if config.contrast_in == "bfloat16" and backbone is not LightGCN:
            raise ValueError("contrast_in='bfloat16' is for LightGCN alone")
        signals.check(train)
        self.config, self.device = config, device
        self._dtype = torch.bfloat16 if config.contrast_in == "bfloat16" else None
        refined = train if signals.refined is None else signals.refined
        self.pairs = refined if config.positives == "refined" else train
        union = train.union(refined)
        self._graphs = _Graphs(union, train, signals.refined, device)
        X = starting_vectors(train, d=config.d, start=config.start, seeds=seeds)
        structure = self._graphs.structure
        self.backbone = backbone(structure, X, n_layers=config.n_layers, seeds=seeds)
        self._views = seeds.torch("views", device=device)
        rng = seeds.torch("negatives", device=device)
        taken = union if signals.hard is None else union.union(signals.hard)
        self._uniform = Uniform(taken, rng=rng)
        self._shared = Shared(taken, n=config.n_shared, rng=rng)
        self.hard = self._semantic(signals, rng)

    def loss(self, batch: Batch, epoch: int) -> Loss:  # noqa: ARG002 - epochs are alike
        """Eq. 23 on a batch; the parts carry their weights already."""
        config, graphs = self.config, self._graphs
        everyone = self._everyone()
        drawn, wrong = self._drawn(batch, everyone)
        met = Met.of(batch, *drawn)
        z, X = self.backbone.at(graphs.G, users=met.users, items=met.items, z=everyone)
        pairs = self._rec(z, met, wrong)
        parts = {"rec": weighted_mean(pairs, batch.weights)}
        if self.backbone.uses_graph and self.step % config.every == 0:
            if config.de:
                parts["de"] = config.every * config.lambda_1 * self._de(z, met, batch)
            if config.hal:
                parts["hal"] = config.every * config.lambda_2 * self._hal(batch)
        parts["reg"] = shrinkage(X, met.batch, lambda_reg=config.lambda_reg)
        return Loss(parts, pairs.detach())

    @torch.no_grad()
    def served(self) -> dict[str, Embeddings]:
        """Z from G and, where there is one, z' from G'."""
        graphs = {"raw": self._graphs.G}
        if self.backbone.uses_graph and not self._graphs.same:
            graphs["refined"] = self._graphs.G_
        return {
            name: self._scoring(self.backbone.embeddings(entries).detach())
            for name, entries in graphs.items()
        }

    @torch.no_grad()
    def _everyone(self) -> Embeddings | None:
        """All of z where the sampler scores its pools by it (Eq. 8)."""
        return None if self.hard is None else self.backbone.embeddings(self._graphs.G).detach()

    def _drawn(
        self, batch: Batch, everyone: Embeddings | None
    ) -> tuple[tuple[Tensor, ...], Tensor | None]:
        """The batch's negatives: one a pair (B,), and before it those that a softmax shares.

        With `wrong` (B, S) of the shared ones, or None without them.
        """
        own: tuple[Tensor, ...] = ()
        if self.hard is not None and everyone is not None:
            own = (self.hard.draw(batch.users, self._scoring(everyone)),)
        if self.config.loss == "sampled_softmax":
            shared, wrong = self._shared.draw(batch.users)
            return (shared, *own), wrong
        return own or (self._uniform.draw(batch.users, n=1).squeeze(1),), None

    def _rec(self, z: Embeddings, met: Met, wrong: Tensor | None) -> Tensor:
        """L_rec per pair: BPR against a semantic hard negative (Eq. 11), or the softmax."""
        if wrong is None:
            return bpr_pairs(z, met.batch, met.others[0])
        shared, *own = met.others
        hard = own[0] if own else None
        return softmax_pairs(z, met.batch, (shared, wrong), tau=self.config.tau, hard=hard)

    def _de(self, z: Embeddings, met: Met, batch: Batch) -> Tensor:
        """Cross-graph alignment (Eq. 18-19): z'_u towards z_i and z'_i towards z_u."""
        n, tau = self.config.n_contrast, self.config.tau_de
        weights = batch.weights[:n]
        # only whom these pairs name, without the negatives that z was asked for
        some = Met.of(Batch(met.batch.users[:n], met.batch.items[:n], weights))
        z = Embeddings(z.users.index_select(0, some.users), z.items.index_select(0, some.items))
        z_, u, i = z, some.batch.users, some.batch.items
        if not self._graphs.same:
            users, items = met.users[some.users], met.items[some.items]
            z_, _ = self.backbone.at(self._precise(self._graphs.G_), users=users, items=items)
        of_users, of_items = (
            infonce(anchors=anchors, positives=positives, tau=tau, pairs=pairs, dtype=self._dtype)
            for anchors, positives, pairs in (
                (z_.users, z.items, (u, i)),
                (z_.items, z.users, (i, u)),
            )
        )
        return weighted_mean(of_users + of_items, weights)

    def _hal(self, batch: Batch) -> Tensor:
        """Hallucination-robust contrast (Eq. 20-22): one view of G against one of G'."""
        users, items = self._contrasted(batch)
        (first, _), (second, _) = (
            self.backbone.at(self._precise(entries), users=users, items=items)
            for entries in self._graphs.views(rho=self.config.rho, rng=self._views)
        )
        tau = self.config.tau_hal
        sides = ((first.users, second.users), (first.items, second.items))
        of_users, of_items = (
            infonce(anchors=one, positives=other, tau=tau, dtype=self._dtype)
            for one, other in sides
        )
        return of_users.mean() + of_items.mean()

    def _precise(self, entries: Tensor) -> Tensor:
        """Entries in the precision of the contrasts' products."""
        return entries if self._dtype is None else entries.to(self._dtype)

    def _contrasted(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Distinct users and items of L_hal."""
        if self.config.contrast == "batch":
            n = self.config.n_contrast
            return torch.unique(batch.users[:n]), torch.unique(batch.items[:n])
        users, items = (
            torch.randperm(n, generator=self._views, device=self.device)[: max(1, n // 10)]
            for n in (self.pairs.n_users, self.pairs.n_items)
        )
        return users, items

    def _scoring(self, z: Embeddings) -> Embeddings:
        return scoring(z, loss=self.config.loss, tau=self.config.tau)

    def _semantic(self, signals: Signals, rng: torch.Generator) -> SemanticHard | None:
        config = self.config
        texts = signals.aligned if config.align else signals.texts
        if not config.semantic or texts is None:
            return None
        return SemanticHard(
            self._uniform,
            texts.to(self.device),
            K=config.K,
            M=config.M,
            rule=config.pool,
            T=config.T,
            rng=rng,
        )


class _Graphs:
    """G and G' as weights on one structure."""

    def __init__(
        self,
        union: Interactions,
        train: Interactions,
        refined: Interactions | None,
        device: torch.device,
    ) -> None:
        self.structure = Adjacency.of(union).to(device)
        self.same = refined is None
        self._a = edge_weights(union, train).to(device)
        self._a_ = self._a if refined is None else edge_weights(union, refined).to(device)
        self.G = self.structure.normalise(self._a)  # (2E,)
        self.G_ = self.structure.normalise(self._a_)  # (2E,)

    def views(self, *, rho: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Fresh edge-dropped and re-normalised views of G and of G'."""
        first = drop_edges(self._a, rho=rho, rng=rng)
        second = drop_edges(self._a_, rho=rho, rng=rng)
        return self.structure.normalise(first), self.structure.normalise(second)
