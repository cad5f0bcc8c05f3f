"""What the cheaper ways cost: the same training to the same epoch, read on validation.

All start at the singular vectors, from where so few epochs lead somewhere.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import torch

from services.recsys import loop
from services.recsys.align import AlignConfig, align
from services.recsys.backbones import starting_vectors
from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.data import Embeddings, Interactions, Signals, Split
from services.recsys.evaluate import evaluate
from services.recsys.methods import bpr, llmhni
from services.recsys.objective import Method
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

FORM = 2
"""Raised when a row trains otherwise under the same recipe: 2 made the contrasts' likeness bf16."""

BATCHES = (1024, 2048, 4096, 8192)
Figures = dict[str, Any]
PRICED = (
    speed_llmhni.PRINTED,
    speed_llmhni.CHEAP,
    speed_llmhni.DEFAULT,
    speed_llmhni.OTHER,
    speed_llmhni.LARGE,
    speed_llmhni.RARE,
    speed_llmhni.HALVED,
    speed_llmhni.SAMPLED,
    speed_llmhni.FEWER,
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

    def row(name: str, recipe: Any, compute: Callable[[], float]) -> None:  # noqa: ANN401 - a method's
        plan: dict[str, Json] = {"bench": "speed quality", **read, "row": name, "form": FORM}
        plan |= {"recipe": asdict(recipe), "epochs": EPOCHS, "epochs_llmhni": EPOCHS_LLMHNI}
        kept = cells.get(plan, lambda: Cell(figures={"recall@20": compute()}), words=name)
        found[name] = kept.figures

    aligned: dict[int, Signals] = {}
    recipes = {name: replace(one, start="svd") for name, one in speed_llmhni.recipes().items()}
    for name in (*PRICED, LINEAR):
        layers: Literal[1, 2] = 1 if name == LINEAR else 2
        recipe = recipes[speed_llmhni.PRINTED if name == LINEAR else name]
        row(
            name,
            recipe,
            lambda r=recipe, n=layers: _llmhni(split, _signals(known, out, n, aligned), r),  # type: ignore[misc] # bound now
        )
    for size in BATCHES:
        config = _larger(size)
        row(
            f"LightGCN, batch {size}, {EPOCHS} epochs",
            config,
            lambda config=config: _lightgcn(split, config),  # type: ignore[misc] # bound now
        )
    config = _larger(levers.config().B)
    row(f"LightGCN, bf16, batch 1024, {EPOCHS} epochs", config, lambda: _half(split))
    return found


def _larger(size: int) -> bpr.Config:
    """Return the bench's LightGCN at a batch size; the rate grows with its root."""
    rate = levers.LR * (size / levers.config().B) ** 0.5
    return replace(levers.config(), B=size, lr=rate, start="svd")


def _lightgcn(split: Split, recipe: bpr.Config) -> float:
    seeds, device = Seeds(0), levers.CPU
    method = bpr.BPR(recipe, LightGCN, split.train, seeds=seeds, device=device)
    return _trained(method, split, recipe.B, recipe.lr, EPOCHS, seeds)


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


def _llmhni(split: Split, given: Signals, recipe: llmhni.Config) -> float:
    seeds, device = Seeds(0), levers.CPU
    method = llmhni.LLMHNI(recipe, LightGCN, split.train, given, seeds=seeds, device=device)
    return _trained(method, split, recipe.B, recipe.lr, EPOCHS_LLMHNI, seeds)


def _trained(
    method: Method, split: Split, size: int, rate: float, epochs: int, seeds: Seeds
) -> float:
    fit = loop.fit(method, split.train, epochs=epochs, batch_size=size, lr=rate, seeds=seeds)
    return judged(fit.embeddings, split)


def judged(vectors: Embeddings, split: Split) -> float:
    """Return validation Recall@20, train items hidden."""
    found = evaluate(inner_product(vectors), split.val, mask=split.train, ks=(20,))
    return found.means()["recall@20"]
