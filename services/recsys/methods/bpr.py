"""The raw model: a backbone on G with BPR (arXiv 1205.2618) or sampled softmax; no text, no LLM.

L = sum w_ui L_rec(u, i) / sum w_ui + lambda_reg |X|^2 / 2B over a batch of pairs.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from services.recsys.adjacency import Adjacency
from services.recsys.backbones import Backbone, Start, starting_vectors
from services.recsys.data import Batch, Embeddings, Interactions, Signals
from services.recsys.losses import weighted_mean
from services.recsys.objective import Loss, Method
from services.recsys.ranges import COUNT, NATURAL, POSITIVE, check
from services.recsys.ranking import (
    Met,
    RankingLoss,
    bpr_pairs,
    scoring,
    shrinkage,
    softmax_pairs,
)
from services.recsys.samplers.dns import Dns
from services.recsys.samplers.shared import Shared
from services.recsys.samplers.uniform import Uniform
from services.recsys.seeds import Seeds


@dataclass(frozen=True)
class Config:
    """The defaults are the strongest raw LightGCN measured (docs/methods/llmhni.md)."""

    d: int = 64
    n_layers: int = 2
    epochs: int = 12
    B: int = 2048
    lr: float = 3e-3
    start: Start = "svd"
    loss: RankingLoss = "sampled_softmax"
    n_shared: int = 512  # shared negatives of the softmax
    tau: float = 0.15  # of the softmax
    negatives: Literal["uniform", "dns"] = "uniform"  # of BPR
    M: int = 30  # fresh draws of which DNS takes the hardest
    lambda_reg: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError for a field outside its range."""
        check(
            self,
            **dict.fromkeys(("d", "epochs", "B", "n_shared", "M"), COUNT),
            **dict.fromkeys(("lr", "tau"), POSITIVE),
            **dict.fromkeys(("n_layers", "lambda_reg"), NATURAL),
        )


class BPR(Method):
    """A backbone trained on the edges of G, with their weights."""

    def __init__(
        self,
        config: Config,
        backbone: type[Backbone],
        train: Interactions,
        signals: Signals | None = None,  # noqa: ARG002 - methods are made alike; G is all it sees
        *,
        seeds: Seeds,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.config, self.pairs, self.device = config, train, device
        graph = Adjacency.of(train).to(device)
        X = starting_vectors(train, d=config.d, start=config.start, seeds=seeds)
        self.backbone = backbone(graph, X, n_layers=config.n_layers, seeds=seeds)
        self._entries = graph.normalise(torch.from_numpy(train.values()).to(device))
        rng = seeds.torch("negatives", device=device)
        self._uniform = Uniform(train, rng=rng)
        self._dns = Dns(self._uniform, n=config.M)
        self._shared = Shared(train, n=config.n_shared, rng=rng)

    def loss(self, batch: Batch, epoch: int) -> Loss:  # noqa: ARG002 - no schedule
        """L_rec and the L2 term on a batch."""
        everyone = self._everyone()
        negatives, wrong = self._drawn(batch, everyone)
        met = Met.of(batch, negatives)
        z, X = self.backbone.at(self._entries, users=met.users, items=met.items, z=everyone)
        pairs = self._rec(z, met, wrong)
        parts = {"rec": weighted_mean(pairs, batch.weights)}
        parts["reg"] = shrinkage(X, met.batch, lambda_reg=self.config.lambda_reg)
        return Loss(parts, pairs.detach())

    @torch.no_grad()
    def served(self) -> dict[str, Embeddings]:
        """The vectors on G."""
        z = self.backbone.embeddings(self._entries).detach()
        return {"raw": scoring(z, loss=self.config.loss, tau=self.config.tau)}

    @torch.no_grad()
    def _everyone(self) -> Embeddings | None:
        """All vectors on G where the sampler asks for them."""
        if self.config.loss == "bpr" and self.config.negatives == "dns":
            return self.backbone.embeddings(self._entries).detach()
        return None

    def _drawn(self, batch: Batch, everyone: Embeddings | None) -> tuple[Tensor, Tensor | None]:
        """Items: (S,) for the whole batch with `wrong` (B, S) of the softmax, or one a pair."""
        if self.config.loss == "sampled_softmax":
            return self._shared.draw(batch.users)
        if everyone is not None:
            return self._dns.draw(batch.users, everyone), None
        return self._uniform.draw(batch.users, n=1).squeeze(1), None

    def _rec(self, z: Embeddings, met: Met, wrong: Tensor | None) -> Tensor:
        (negatives,) = met.others
        if wrong is None:
            return bpr_pairs(z, met.batch, negatives)
        return softmax_pairs(z, met.batch, (negatives, wrong), tau=self.config.tau)
