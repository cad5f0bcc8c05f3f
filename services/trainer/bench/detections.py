"""Planted graphs, their signals by cell, and what each signal catches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from services.recsys.data import Bools, Embeddings, Interactions, Ints, Split
from services.recsys.detect import KINDS, Kind, detect, plant
from services.recsys.metrics import precision_recall
from services.recsys.seeds import Seeds
from services.recsys.suspicion import Scores
from services.recsys.tfidf import tf_idf
from services.shared.canonical import Json
from services.trainer.bench import signals
from services.trainer.bench.cells import Cell, Cells
from services.trainer.bench.corpus import Corpus, fingerprint
from services.trainer.bench.planting import held_out
from services.trainer.bench.signals import Noisy

FORMAT = 2
"""Raised when a signal changes its meaning."""
SHARE = 0.2
LOWEST = (1, 2, 5)
"""n2: the lowest edges of each user that would be asked about."""

Figures = dict[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Planted:
    """A graph with fakes, and what every signal says of its edges."""

    kind: Kind
    seed: int
    train: Interactions
    fake: Bools  # (E,)
    scores: Mapping[str, Scores]  # (E,) each, low is suspicious


def all_planted(corpus: Corpus, texts: Embeddings, out: Path, *, seeds: int) -> list[Planted]:
    """Return every planting with its signals, computed where no cell has them."""
    cells = Cells(out / "cells", total=len(KINDS) * seeds * len(signals.GROUPS))
    words = tf_idf(corpus.items)
    found = []
    for seed in range(seeds):
        for kind in KINDS:
            train, fake = planting(corpus.split, kind, seed)
            noisy = Noisy(train, texts, words, seed)
            scores = _scores(cells, kind, noisy)
            found.append(Planted(kind=kind, seed=seed, train=train, fake=fake, scores=scores))
    return found


def planting(split: Split, kind: Kind, seed: int) -> tuple[Interactions, Bools]:
    """Plant SHARE of the train edges; a fake that is held out would be none, and is left out.

    A seed and a kind give the same fakes wherever they are asked.
    """
    rng = Seeds(seed).numpy(f"plant {kind}")
    noisy, fake = plant(split.train, share=SHARE, kind=kind, rng=rng)
    kept = ~(fake & held_out(split, users=noisy.users, items=noisy.items))
    return noisy.where(kept), fake[kept]


def caught(planted: Planted, name: str) -> Figures:
    """Return what a signal catches: at |fake| flagged, and in the lowest of each user."""
    score = planted.scores[name]
    found = detect(-score, planted.fake)
    figures = {"auc": found.auc, "precision": found.precision}
    for n2, low in zip(LOWEST, lowest(planted.train, score, LOWEST), strict=True):
        precision, recall = precision_recall(low, planted.fake)
        figures |= {f"recall n2={n2}": recall, f"precision n2={n2}": precision}
    return figures


def lowest(train: Interactions, score: Scores, n2: Sequence[int]) -> list[Bools]:
    """Return which edges are among the n lowest of their user, for each n: (E,) each."""
    place: Ints = np.empty(len(train), dtype=np.int64)
    order = np.lexsort((train.items, score, train.users))
    place[order] = np.arange(len(train)) - train.indptr()[train.users]
    return [place < n for n in n2]


def _scores(cells: Cells, kind: str, noisy: Noisy) -> dict[str, Scores]:
    asked = fingerprint(noisy.train.keys(), noisy.texts.users.numpy(), noisy.texts.items.numpy())
    scores: dict[str, Scores] = {}
    for group, say in signals.GROUPS.items():
        plan: dict[str, Json] = {
            "format": FORMAT,
            "group": group,
            "graph": asked,
            "seed": noisy.seed,
        }

        words = f"{kind} fakes, planting {noisy.seed}: {group}"
        said = cells.get(plan, partial(_said, say, noisy), words=words).per_user
        scores |= dict(sorted(said.items()))  # a file keeps no order
    return scores


def _said(say: Callable[[Noisy], signals.Signals], noisy: Noisy) -> Cell:
    return Cell(figures={}, per_user=say(noisy))
