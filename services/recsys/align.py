"""Text vectors moved into the recommender's space (LLMHNI, arXiv 2511.07295, Eq. 5-7).

One shared projector maps both sides, trained so that a user's text finds the texts of what the
user took. Train edges only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from services.recsys.data import Embeddings, Interactions
from services.recsys.losses import sampled_softmax
from services.recsys.ranges import COUNT, POSITIVE, check
from services.recsys.samplers.shared import Shared
from services.recsys.texts import centred, known
from services.recsys.topk import blocks, inner_product, top_k

OnEpoch = Callable[[int, float], None]


@dataclass(frozen=True, kw_only=True)
class AlignConfig:
    """The default is ours, measured; `PRESETS["paper"]` is Eq. 5-7 as printed."""

    d: int = 64  # d_rec
    layers: Literal[1, 2] = 2  # 2 with ReLU between; 1 is the linear variant
    hidden: int = 256
    positives: Literal["train", "top_n"] = "train"  # I_u^{al+}
    top_n: int = 50  # N; encoders differ in how many users it leaves without a label
    similarity: Literal["cosine", "dot"] = "cosine"
    tau: float = 0.1
    negatives: int = 512  # shared by a batch, outside I_u^{al+}
    epochs: int = 10
    batch: int = 1024
    lr: float = 1e-3

    def __post_init__(self) -> None:
        """Raise ValueError for a field outside its range."""
        counted = ("d", "hidden", "top_n", "negatives", "epochs", "batch")
        check(self, **dict.fromkeys(counted, COUNT), tau=POSITIVE, lr=POSITIVE)


PRESETS = {
    "default": AlignConfig(),
    "paper": AlignConfig(positives="top_n", similarity="dot", tau=0.5),
}


class Projector(nn.Module):
    """The shared map of Eq. 5: (n, d_llm) -> (n, d)."""

    def __init__(self, d_llm: int, config: AlignConfig, *, rng: torch.Generator) -> None:
        super().__init__()
        sizes = [d_llm, config.hidden, config.d] if config.layers == 2 else [d_llm, config.d]
        layers: list[nn.Module] = []
        for wide, narrow in pairwise(sizes):
            linear = nn.Linear(wide, narrow, device=rng.device)  # a generator fills its own device
            nn.init.xavier_uniform_(linear.weight, generator=rng)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, texts: Tensor) -> Tensor:
        """Project the vectors of either side."""
        projected: Tensor = self.layers(texts)
        return projected


def align(
    texts: Embeddings,
    train: Interactions,
    *,
    config: AlignConfig,
    rng: torch.Generator,
    on_epoch: OnEpoch | None = None,
) -> Embeddings:
    """Return both sides' vectors in R^d, of unit length where the similarity is the cosine.

    Args:
        texts: (U, d_llm), (I, d_llm) sentence vectors of the profiles; a missing one is zeros, and
            stays zeros.
        train: the observed graph.
        config: architecture, labels, loss and training.
        rng: draws the start, the order and the negatives; its device holds the training.
        on_epoch: hears the epoch's number from 1 and its mean loss.
    """
    texts = centred(texts.to(rng.device))
    positives = train if config.positives == "train" else reliable(texts, train, n=config.top_n)
    projector = Projector(texts.users.shape[1], config, rng=rng)
    _fit(projector, texts, positives, config, rng, on_epoch)
    with torch.no_grad():
        return _projected(projector, texts, config)


def reliable(texts: Embeddings, train: Interactions, *, n: int, block: int = 256) -> Interactions:
    """Return I_u^{al+} (Eq. 6): interacted items among the n nearest texts of all items.

    A user for whom these do not meet keeps all interacted items.
    """
    cosine = inner_product(Embeddings(normalize(texts.users), normalize(texts.items)))
    near = [top_k(cosine(users), n)[0] for users in blocks(np.arange(train.n_users), block)]
    nearest = np.concatenate([np.empty((0, n), dtype=np.int64), *near])  # (U, n)
    owners = np.repeat(np.arange(train.n_users), n).reshape(nearest.shape)
    found = train.locate(users=owners, items=nearest)
    chosen = np.zeros(len(train), dtype=np.bool_)
    chosen[found[(found >= 0) & (nearest >= 0)]] = True
    labelled = np.bincount(train.users[chosen], minlength=train.n_users) > 0
    return train.where(chosen | ~labelled[train.users])


def _fit(
    projector: Projector,
    texts: Embeddings,
    positives: Interactions,
    config: AlignConfig,
    rng: torch.Generator,
    on_epoch: OnEpoch | None,
) -> None:
    users = torch.from_numpy(positives.users).to(rng.device)
    items = torch.from_numpy(positives.items).to(rng.device)
    shared = Shared(positives, n=config.negatives, rng=rng)
    adam = torch.optim.Adam(projector.parameters(), lr=config.lr)
    for epoch in range(1, config.epochs + 1):
        total = 0.0
        order = torch.randperm(len(users), generator=rng, device=rng.device)
        for batch in torch.split(order, config.batch):
            u, i = users[batch], items[batch]
            j, wrong = shared.draw(u)
            pairs = contrast(projector, texts, u=u, i=i, j=j, wrong=wrong, config=config)
            loss = pairs.mean()
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
            total += float(loss.detach()) * len(batch)
        if on_epoch is not None:
            on_epoch(epoch, total / max(len(users), 1))


def contrast(
    projector: Projector,
    texts: Embeddings,
    *,
    u: Tensor,
    i: Tensor,
    j: Tensor,
    wrong: Tensor,
    config: AlignConfig,
) -> Tensor:
    """Return InfoNCE per pair (Eq. 7): u, i (B,), shared j (S,), wrong (B, S) -> (B,)."""
    rows = Embeddings(texts.users[u], torch.cat([texts.items[i], texts.items[j]]))
    z = _projected(projector, rows, config)
    positive = (z.users * z.items[: len(i)]).sum(1)  # (B,)
    negative = z.users @ z.items[len(i) :].T  # (B, S)
    return sampled_softmax(positive=positive, negative=negative, tau=config.tau, wrong=wrong)


def _projected(projector: Projector, texts: Embeddings, config: AlignConfig) -> Embeddings:
    users, items = projector(texts.users), projector(texts.items)
    if config.similarity == "cosine":
        users, items = normalize(users, dim=1), normalize(items, dim=1)
    # the projector's shifts would give all who have no text one and the same direction
    return Embeddings(users * known(texts.users), items * known(texts.items))
