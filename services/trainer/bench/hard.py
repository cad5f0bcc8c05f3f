"""Hard is not noise: what each criterion costs true edges that look odd, and hard test items.

A true edge is *hard* when it is in the lowest quarter of the true edges by exact leave-one-out EASE
on the graph before the planting: odd by a judge that is none of the criteria, and no fake's doing.
A user's *hardest* test items are the lower half of theirs by EASE on that graph, one at least.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from services.recsys.closed_forms import Ease
from services.recsys.data import Bools, Interactions, Split
from services.recsys.ease_out import ease_scores
from services.recsys.evaluate import evaluate
from services.recsys.loop import fit
from services.recsys.methods.bpr import BPR
from services.recsys.registry import BACKBONES
from services.recsys.suspicion import Scores, pair_scores, rank_average
from services.recsys.topk import inner_product
from services.shared.canonical import Json
from services.shared.specs import RunSpec
from services.trainer import spec as recipes
from services.trainer.bench import signals
from services.trainer.bench.cells import Cell, Cells
from services.trainer.bench.corpus import fingerprint
from services.trainer.bench.detections import FORMAT, Planted
from services.trainer.bench.recipe import CPU, seeds
from services.trainer.bench.standing import kept

REMOVED = 0.5
"""Share of the fakes that every criterion removes before its price is read."""
QUARTER = 0.25
EPOCHS = 8
LAM = 200.0
RAW, TRUTH = "nothing (raw)", "the truth: fakes alone, as many"
CRITERIA: Mapping[str, Sequence[str]] = {
    "training loss": (signals.LOSS,),
    "LightGCN, in sample": (signals.LIGHTGCN,),
    "leave-one-out": (signals.LEAVE_ONE_OUT,),
    "loss and leave-one-out": (signals.LOSS, signals.LEAVE_ONE_OUT),
    "plausibility": (signals.DEFAULT,),
    "loss and plausibility": (signals.LOSS, signals.DEFAULT),
    "user degree": (signals.USER_DEGREE,),
}
TRAINED = ("training loss", "leave-one-out", "plausibility")
"""Criteria after which a model is trained."""


def criteria(planted: Planted) -> dict[str, Scores]:
    """Return each criterion's score, low goes first: (E,); two signals by their mean rank."""
    return {
        name: rank_average(*(planted.scores[part] for part in parts))
        for name, parts in CRITERIA.items()
    }


def oddness(cells: Cells, clean: Interactions) -> Scores:
    """Return exact leave-one-out EASE of the graph before the planting: (E,)."""
    plan: dict[str, Json] = {
        "format": FORMAT,
        "hard": "EASE leave-one-out",
        "lam": LAM,
        "graph": fingerprint(clean.keys()),
    }

    def compute() -> Cell:
        return Cell(figures={}, per_user={"out": ease_scores(clean, lam=LAM)[1]})

    return cells.get(plan, compute, words="hard edges of the clean graph").per_user["out"]


def hard_edges(planted: Planted, clean: Interactions, odd: Scores) -> Bools:
    """Return which edges of the planted graph are true and hard: (E,)."""
    low = odd <= np.quantile(odd, QUARTER)
    return clean.where(low).contains(users=planted.train.users, items=planted.train.items)


def stay(planted: Planted, hard: Bools) -> dict[str, tuple[float, float]]:
    """Return the shares of hard and of all true edges that each criterion keeps."""
    return {
        name: (
            kept(score, planted.fake, hard, removed=REMOVED),
            kept(score, planted.fake, ~planted.fake, removed=REMOVED),
        )
        for name, score in criteria(planted).items()
    }


def hardest(split: Split) -> Interactions:
    """Return the lower half of each user's test items by EASE on train, one at least."""
    test = split.test
    scores = pair_scores(
        Ease(lam=LAM).fit(split.train).score_block, users=test.users, items=test.items
    )
    place = np.empty(len(test), dtype=np.int64)
    order = np.lexsort((test.items, scores, test.users))
    place[order] = np.arange(len(test)) - test.indptr()[test.users]
    half = np.maximum(test.user_degrees() // 2, 1)[test.users]
    return test.where(place < half)


def train_and_read(
    out: Path, split: Split, planted: Planted, *, arms: Sequence[str] = (RAW, *TRAINED, TRUTH)
) -> dict[str, dict[str, float]]:
    """Return R@20 on all test items and on the hardest, by what was removed before training.

    LightGCN with sampled softmax, EPOCHS epochs, nothing chosen by validation; the edges of the
    planted graph are hidden. Finished arms stand in `out`.
    """
    cells, found = Cells(out / "cells", total=len(arms)), {}
    for arm in arms:
        graph = _after(arm, planted)
        plan: dict[str, Json] = {
            "format": FORMAT,
            "hard": "trained",
            "epochs": EPOCHS,
            "graph": fingerprint(graph.keys(), planted.train.keys(), split.test.keys()),
            "seed": planted.seed,
        }
        words = f"{planted.kind} fakes, planting {planted.seed}: trained without {arm}"
        cell = cells.get(plan, partial(_read, graph, split, planted), words=words)
        found[arm] = {name: float(str(value)) for name, value in cell.figures.items()}
    return found


def _after(arm: str, planted: Planted) -> Interactions:
    """Return the graph after the criterion removed REMOVED of the fakes."""
    if arm == RAW:
        return planted.train
    if arm == TRUTH:
        fakes = np.flatnonzero(planted.fake)
        gone = np.zeros(len(planted.fake), dtype=np.bool_)
        rng = np.random.default_rng(planted.seed)
        gone[rng.permutation(fakes)[: round(REMOVED * len(fakes))]] = True
        return planted.train.where(~gone)
    score = criteria(planted)[arm]
    threshold = np.quantile(score[planted.fake], REMOVED, method="inverted_cdf")
    return planted.train.where(score > threshold)


def _read(graph: Interactions, split: Split, planted: Planted) -> Cell:
    spec = RunSpec(seed=planted.seed)
    recipe, own = recipes.raw(spec.params), seeds(spec, "train_raw")
    method = BPR(recipe, BACKBONES[spec.backbone], graph, seeds=own, device=CPU)
    trained = fit(method, graph, epochs=EPOCHS, batch_size=recipe.B, lr=recipe.lr, seeds=own)
    rank = inner_product(trained.embeddings)
    figures: dict[str, Json] = {"removed": len(planted.train) - len(graph)}
    for name, items in (("all", split.test), ("hardest", hardest(split))):
        judged = evaluate(rank, items, mask=planted.train, ks=(20,))
        figures[name] = judged.means()["recall@20"]
    return Cell(figures=figures)
