"""Train a method within a cell: early stop on validation, or the epochs that it chose before."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import cast

from services.recsys.checkpoint import Epoch
from services.recsys.data import Embeddings, Split
from services.recsys.loop import Fit, fit
from services.recsys.methods import bpr, llmhni
from services.recsys.objective import Method
from services.recsys.seeds import Seeds
from services.recsys.topk import inner_product
from services.trainer.bench.peers import tell
from services.trainer.bench.rows import Figures, Made, Work
from services.trainer.bench.schedule import SECONDS, CutShortError
from services.trainer.training import validation

SAYS_EVERY = 20.0
"""Seconds between two words about a training."""
Recipe = bpr.Config | llmhni.Config


def made(
    work: Work, recipe: Recipe, make: Callable[[Seeds], Method], *, stage: str, patience: int
) -> Made:
    """Train on the work's graph and return the vectors that validation chose.

    Where the work says what train alone has chosen, the same number of epochs is trained without
    looking at anything, and the same graph's vectors are served. Raises CutShortError.
    """
    own = Seeds(Seeds(work.seed).integer(stage))  # as the stage of a run draws them
    method, watch = make(own), _Watch(recipe.epochs)
    trained = _fit(work, method, recipe, own, watch, patience)
    if not trained.finished:
        raise CutShortError
    told = work.frozen
    if told is None:
        vectors, figures = trained.embeddings, _chosen(trained)
    else:
        vectors = method.served()[str(told["graph"])].to("cpu")
        figures = {name: told[name] for name in ("validation", "best_epoch", "epochs", "graph")}
    seconds = {"epoch_seconds": watch.epoch(trained), SECONDS: _wall(trained)}
    return Made(score_block=inner_product(vectors), figures={**figures, **seconds})


def _fit(
    work: Work, method: Method, recipe: Recipe, own: Seeds, watch: "_Watch", patience: int
) -> Fit:
    told = work.frozen
    try:
        return fit(
            method,
            work.graph,
            epochs=recipe.epochs if told is None else cast("int", told["best_epoch"]),
            batch_size=recipe.B,
            lr=recipe.lr,
            seeds=own,
            validate=watch.judging(work.split) if told is None else None,
            patience=patience if told is None else None,
            on_epoch=watch,
            checkpoint_dir=work.folder,
            should_stop=work.should_stop,
        )
    except ValueError:
        if work.should_stop():  # before the first epoch ended
            raise CutShortError from None
        raise


def _chosen(trained: Fit) -> Figures:
    return {
        "validation": trained.best_value,
        "best_epoch": trained.best_epoch + 1,
        "epochs": len(trained.epochs),
        "graph": trained.graph,
    }


def _wall(trained: Fit) -> float:
    return round(sum(epoch.seconds for epoch in trained.epochs), 3)


@dataclass(eq=False)
class _Watch:
    """CPU seconds of the epochs without their validation, and a word now and then."""

    epochs: int

    def __post_init__(self) -> None:
        self._at, self._judged = time.process_time(), 0.0
        self._spent: list[float] = []
        self._told = time.monotonic()

    def judging(self, split: Split) -> Callable[[Embeddings], float]:
        def judge(vectors: Embeddings) -> float:
            began = time.process_time()
            value = validation(vectors, split)
            self._judged += time.process_time() - began
            return value

        return judge

    def __call__(self, epoch: Epoch) -> None:
        now = time.process_time()
        self._spent.append(now - self._at - self._judged)
        self._at, self._judged = now, 0.0
        if time.monotonic() - self._told > SAYS_EVERY:
            self._told = time.monotonic()
            value = "" if epoch.value is None else f", validation {epoch.value:.4f}"
            tell(f"  epoch {epoch.number + 1} of at most {self.epochs}{value}")

    def epoch(self, trained: Fit) -> float:
        """Return an epoch's median; wall seconds where all epochs stood on disk already."""
        if not self._spent:
            return round(fmean(epoch.seconds for epoch in trained.epochs), 3)
        return round(median(self._spent), 3)


def setting(recipe: Recipe, patience: int) -> str:
    """Return what a reader wants to know of a recipe."""
    start = "" if recipe.start == "normal" else f", {recipe.start} start"
    return (
        f"L {recipe.n_layers}, B {recipe.B}, lr {recipe.lr:g}{start}, "
        f"at most {recipe.epochs} epochs, patience {patience}"
    )


def told(made_: Made, more: Mapping[str, object]) -> Made:
    """Return the same model with more to tell."""
    return Made(score_block=made_.score_block, figures=cast("Figures", {**made_.figures, **more}))
