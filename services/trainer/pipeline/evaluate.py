"""evaluate: validation decides which graph is served, then test is read once."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from services.recsys.closed_forms import Popularity
from services.recsys.data import Interactions, Split
from services.recsys.evaluate import evaluate
from services.recsys.topk import ScoreBlock, inner_product
from services.shared.stages import StageName
from services.trainer import training, vectors
from services.trainer.context import Context, Result
from services.trainer.histograms import loss_histograms
from services.trainer.pipeline.refine import VERDICTS
from services.trainer.snapshot import files

EVALUATION = "evaluation.json"
RAW, DENOISED = "raw", "denoised"
PARTS = ("val", "val without noise", "test")
"""What each model is ranked for."""


def _silent(_done: int, _total: int) -> None:
    pass


def run(context: Context) -> Result:
    """Rank for validation and test, decide the default graph, draw the histograms."""
    split = files.read(context.folder(StageName.SNAPSHOT)).split
    verdicts = pl.read_parquet(context.folder(StageName.REFINE) / VERDICTS)
    raw, denoised = (context.folder(s) for s in (StageName.TRAIN_RAW, StageName.TRAIN))
    figures = judge(
        split,
        {RAW: _scores(raw), DENOISED: _scores(denoised)},
        without=called_noise(split.val, verdicts),
        on_ranking=lambda done, total: context.progress(done, total=total),
    )
    losses = loss_histograms(raw / training.HISTORY, split.train, verdicts)
    figures["histograms"] = {"loss": losses}
    with context.writing() as draft:
        (draft.folder / EVALUATION).write_text(json.dumps(figures), encoding="utf-8")
    return Result(figures, draft.manifest)


def judge(
    split: Split,
    models: dict[str, ScoreBlock],
    *,
    without: Interactions,
    on_ranking: Callable[[int, int], None] = _silent,
) -> dict[str, Any]:
    """Return the metrics of every model and of popularity, and the graph that is served.

    Validation as it is decides, on a tie the raw graph; `without` are the validation pairs that
    a verdict calls noise, and the figures without them stand beside, deciding nothing.
    """
    rows = {**models, "popularity": Popularity().fit(split.train).score_block}
    kept = split.val.where(~without.contains(users=split.val.users, items=split.val.items))
    total, rankings = len(PARTS) * len(rows), count(1)

    def ranked(scores: ScoreBlock, target: Interactions) -> dict[str, float]:
        means = _means(scores, target, split)
        on_ranking(next(rankings), total)
        return means

    metrics = {name: {"val": ranked(scores, split.val)} for name, scores in rows.items()}
    pruned = {name: ranked(scores, kept) for name, scores in rows.items()}
    recall = {name: metrics[name]["val"][training.CHOSEN_BY] for name in models}
    default = DENOISED if recall[DENOISED] > recall[RAW] else RAW
    for name, scores in rows.items():  # the choice is made: now the test set, once
        metrics[name]["test"] = ranked(scores, split.test)
    return {
        "default_graph": default,
        "metrics": metrics,
        "val_without_noise": {"removed": len(split.val) - len(kept), "metrics": pruned},
    }


def called_noise(val: Interactions, verdicts: pl.DataFrame) -> Interactions:
    """Return the validation pairs that a verdict speaks against.

    They are no train edges, so the LLM saw them as suspected likes; its "clean" says of such a
    pair what "noise" says of an edge: this user would not want this item. A person has seen the
    pair in the log: to them it is "clean" where it rightly stands there.
    """
    against = pl.col("verdict") == "noise"
    if "decided_by" in verdicts.columns:  # an older version's files hold the LLM's alone
        against |= (pl.col("verdict") == "clean") & (pl.col("decided_by") != "person")
    else:
        against |= pl.col("verdict") == "clean"
    rows = verdicts.filter(against)
    said = Interactions.build(
        users=rows["user"].to_numpy(),
        items=rows["item"].to_numpy(),
        n_users=val.n_users,
        n_items=val.n_items,
    )
    return val.where(said.contains(users=val.users, items=val.items))


def _means(scores: ScoreBlock, target: Interactions, split: Split) -> dict[str, float]:
    if not len(target):
        return {}
    return evaluate(scores, target, mask=split.train).means()


def _scores(folder: Path) -> ScoreBlock:
    return inner_product(vectors.load(folder / training.MODEL))
