"""What the cheaper ways cost: the same training to the same epoch, read on validation.

All start at the singular vectors, from where so few epochs lead somewhere.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from services.recsys import loop
from services.recsys.align import AlignConfig, align
from services.recsys.backbones import starting_vectors
from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.data import Embeddings, Interactions, Signals, Split
from services.recsys.evaluate import evaluate
from services.recsys.methods.bpr import BPR
from services.recsys.methods.llmhni import LLMHNI
from services.recsys.samplers.uniform import Uniform
from services.recsys.seeds import Seeds
from services.recsys.suspicion import leave_one_out
from services.recsys.topk import inner_product
from services.shared.canonical import Json, content_hash
from services.trainer.bench import corpus, levers, speed_llmhni
from services.trainer.bench.cells import Cell, Cells
from services.trainer.bench.corpus import Corpus, fingerprint

EPOCHS, EPOCHS_LLMHNI = 30, 10
WEAK = 20
"""One edge in so many is left out of G': those that the others support least."""

BATCHES = (1024, 2048, 4096, 8192)
Figures = dict[str, Any]
PRICED = (
    speed_llmhni.PRINTED,
    speed_llmhni.CHEAP,
    speed_llmhni.HALVED,
    "10 % of nodes in the contrast",
    "512 pairs in the contrasts",
)
LINEAR = "as printed, linear projector"
ROWS = len(BATCHES) + len(PRICED) + 2


def measure(data: str, known: Corpus, out: Path, cells: Cells) -> dict[str, Figures]:
    """Return each row's validation Recall@20; `data` is the folder's name."""
    split = known.split
    read: dict[str, Json] = {
        "data": data,
        "split": fingerprint(split.train.keys(), split.val.keys()),
        "texts": content_hash([list(known.users), list(known.items)]),
    }
    found: dict[str, Figures] = {}

    def row(name: str, compute: Callable[[], float]) -> None:
        plan: dict[str, Json] = {"bench": "speed quality", **read, "row": name}
        plan |= {"epochs": EPOCHS, "epochs_llmhni": EPOCHS_LLMHNI}
        found[name] = cells.get(plan, lambda: Cell(figures={"recall@20": compute()})).figures

    aligned: dict[int, Signals] = {}
    for name in PRICED:
        row(name, lambda name=name: _llmhni(split, _signals(known, out, 2, aligned), name))  # type: ignore[misc] # bound now
    row(
        LINEAR,
        lambda: _llmhni(split, _signals(known, out, 1, aligned), speed_llmhni.PRINTED),
    )
    for size in BATCHES:
        row(f"LightGCN, batch {size}, {EPOCHS} epochs", lambda size=size: _lightgcn(split, size))  # type: ignore[misc] # bound now
    row(f"LightGCN, bf16, batch 1024, {EPOCHS} epochs", lambda: _half(split))
    return found


def _lightgcn(split: Split, size: int) -> float:
    """Train the bench's LightGCN; the rate grows with the root of the batch."""
    rate = levers.LR * (size / levers.config().B) ** 0.5
    recipe, seeds = replace(levers.config(), B=size, lr=rate, start="svd"), Seeds(0)
    method = BPR(recipe, LightGCN, split.train, seeds=seeds, device=levers.CPU)
    fit = loop.fit(method, split.train, epochs=EPOCHS, batch_size=size, lr=rate, seeds=seeds)
    return judged(fit.embeddings, split)


def _half(split: Split) -> float:
    """Train the same with products in bf16, its batches and negatives drawn as the loop draws."""
    train, rng = split.train, Seeds(0).torch("bf16")
    model = levers.half(train, starting_vectors(train, d=levers.D, start="svd", seeds=Seeds(0)))
    uniform = Uniform(train, rng=rng)
    users, items = torch.from_numpy(train.users), torch.from_numpy(train.items)
    for _ in range(EPOCHS):
        for at in torch.split(torch.randperm(len(train), generator=rng), levers.config().B):
            model.step(users[at], items[at], uniform.draw(users[at], n=1).squeeze(1))
    return judged(model.embeddings(), split)


def _signals(known: Corpus, out: Path, layers: Literal[1, 2], kept: dict[int, Signals]) -> Signals:
    """Return aligned texts, and a G' that nobody rated: the least supported edges are gone."""
    if layers not in kept:
        train, texts = known.split.train, corpus.vectors(known, out)
        config = replace(AlignConfig(), layers=layers)
        aligned = align(texts, train, config=config, rng=Seeds(0).torch("align"))
        kept[layers] = Signals(aligned=aligned, texts=texts, refined=_supported(train))
    return kept[layers]


def _supported(train: Interactions) -> Interactions:
    scores = leave_one_out(train)
    order = scores.argsort(kind="stable")[: len(train) // WEAK]
    weak = scores.copy()
    weak[:], weak[order] = 0, 1
    return train.where(weak == 0)


def _llmhni(split: Split, given: Signals, name: str) -> float:
    recipe = replace(speed_llmhni.printed(), start="svd", **speed_llmhni.VARIANTS[name])
    seeds = Seeds(0)
    method = LLMHNI(recipe, LightGCN, split.train, given, seeds=seeds, device=levers.CPU)
    fit = loop.fit(
        method, split.train, epochs=EPOCHS_LLMHNI, batch_size=recipe.B, lr=recipe.lr, seeds=seeds
    )
    return judged(fit.embeddings, split)


def judged(vectors: Embeddings, split: Split) -> float:
    """Return validation Recall@20, train items hidden."""
    found = evaluate(inner_product(vectors), split.val, mask=split.train, ks=(20,))
    return found.means()["recall@20"]
