"""One way to train, for Rec_pre, the raw and the denoised model; what it leaves on disk."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from services.recsys.data import Embeddings, Interactions, Split
from services.recsys.evaluate import evaluate
from services.recsys.loop import Fit, fit
from services.recsys.methods import bpr, llmhni
from services.recsys.objective import Method
from services.recsys.seeds import Seeds
from services.recsys.topk import inner_product
from services.trainer import vectors
from services.trainer.context import Context

MODEL, HISTORY, EPOCHS = "model.safetensors", "history.safetensors", "epochs.json"
CHOSEN_BY = "recall@20"
"""What early stopping watches, on validation."""


def train(
    context: Context,
    method: Method,
    recipe: bpr.Config | llmhni.Config,
    split: Split,
    *,
    seeds: Seeds,
    patience: int,
) -> Fit:
    """Train, stopped early by validation; what was cut off goes on from its last epoch."""
    return _fit(
        context,
        method,
        recipe,
        split.train,
        seeds=seeds,
        validate=lambda z: validation(z, split),
        patience=patience,
    )


def pretrain(
    context: Context, method: Method, recipe: bpr.Config, train: Interactions, *, seeds: Seeds
) -> Fit:
    """Train for the recipe's epochs without looking at validation."""
    return _fit(context, method, recipe, train, seeds=seeds, validate=None, patience=None)


def _fit(
    context: Context,
    method: Method,
    recipe: bpr.Config | llmhni.Config,
    train: Interactions,
    *,
    seeds: Seeds,
    validate: Callable[[Embeddings], float] | None,
    patience: int | None,
) -> Fit:
    context.progress(0, total=recipe.epochs)
    return fit(
        method,
        train,
        epochs=recipe.epochs,
        batch_size=recipe.B,
        lr=recipe.lr,
        seeds=seeds,
        validate=validate,
        patience=patience,
        on_epoch=lambda epoch: context.progress(epoch.number + 1, total=recipe.epochs),
        checkpoint_dir=context.work,
    )


def validation(z: Embeddings, split: Split) -> float:
    """Return Recall@20 of the validation items, train items hidden."""
    judged = evaluate(inner_product(z), split.val, mask=split.train, ks=(20,))
    return judged.means()[CHOSEN_BY]


def save(folder: Path, trained: Fit) -> None:
    """Write the best vectors, every edge's score and loss by epoch (float16), and the epochs."""
    vectors.save(folder / MODEL, trained.embeddings)
    history = {"scores": trained.scores, "losses": trained.losses}  # (epochs, E)
    save_file({name: torch.from_numpy(rows) for name, rows in history.items()}, folder / HISTORY)
    # seconds differ from attempt to attempt: they are no part of what was learned
    epochs = [{k: v for k, v in asdict(e).items() if k != "seconds"} for e in trained.epochs]
    (folder / EPOCHS).write_text(json.dumps(epochs), encoding="utf-8")


def figures(trained: Fit) -> dict[str, Any]:
    """Return what a reader wants to know of a training."""
    seconds = [epoch.seconds for epoch in trained.epochs]
    return {
        "epochs": len(trained.epochs),
        "best_epoch": trained.best_epoch + 1,
        "graph": trained.graph,
        **({} if trained.best_value is None else {f"val_{CHOSEN_BY}": trained.best_value}),
        "seconds_per_epoch": round(sum(seconds) / len(seconds), 3),
        "loss": trained.epochs[-1].parts,
    }
