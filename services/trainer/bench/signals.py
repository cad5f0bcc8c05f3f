"""What every signal says of the edges of a noisy graph, low is suspicious: one function a group.

A name in brackets tells whose words stand for the users: *given*, the profiles of the folder,
which may know the history before the noise; *composed*, the texts of the user's other train
items, so that the pair's own item is never among them. Nothing in brackets: no text at all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from services.recsys.closed_forms import GfCf
from services.recsys.closed_forms.ials import Ials
from services.recsys.data import Embeddings, Floats, Interactions, Ints
from services.recsys.ease_out import ease_scores
from services.recsys.evidence import FOLDS, likeness, low_rank
from services.recsys.loop import fit
from services.recsys.methods.bpr import BPR
from services.recsys.plausibility import plausibility
from services.recsys.registry import BACKBONES
from services.recsys.seeds import Seeds
from services.recsys.suspicion import (
    Scores,
    leave_one_out,
    pair_scores,
    rank_average,
    text_cosine,
)
from services.recsys.texts import directions
from services.shared.specs import RunSpec
from services.trainer import spec as recipes
from services.trainer.bench.recipe import CPU, seeds

Signals = dict[str, Scores]

ITEM_DEGREE, USER_DEGREE = "item degree", "user degree"
LIGHTGCN, LOSS = "LightGCN, in sample (the paper's)", "training loss (T-CE's criterion)"
LEAVE_ONE_OUT = "co-occurrence, leave-one-out"
BEFORE = "leave-one-out and profile, rank average [given]"
GRAPH_ONLY, DEFAULT = "plausibility", "plausibility [composed]"
WITH_PROFILE = "plausibility and profile, rank average [given]"
WORDS = 128
"""Width to which TF-IDF is cut."""


@dataclass(frozen=True, eq=False)
class Noisy:
    """A graph with planted edges, and the texts of both sides."""

    train: Interactions
    texts: Embeddings
    words: csr_matrix  # TF-IDF of the items, (I, words)
    seed: int

    def rng(self, name: str) -> np.random.Generator:
        """Return the generator of a signal."""
        return Seeds(self.seed).numpy(name)


def degrees(noisy: Noisy) -> Signals:
    """Return what both degrees say alone."""
    train = noisy.train
    return {
        ITEM_DEGREE: train.item_degrees()[train.items].astype(np.float64),
        USER_DEGREE: train.user_degrees()[train.users].astype(np.float64),
    }


def neighbours(noisy: Noisy) -> Signals:
    """Return co-occurrence and GF-CF, in sample and out of it."""
    train = noisy.train
    within = pair_scores(GfCf().fit(train).score_block, users=train.users, items=train.items)
    out = low_rank(train, users=train.users, items=train.items, rng=noisy.rng("folds"))
    return {
        "co-occurrence, in sample": _co_occurrence(train),
        LEAVE_ONE_OUT: leave_one_out(train),
        "GF-CF, in sample": within,
        "GF-CF's low pass, cross-fitted": out[:, 0],
        "cosine of singular vectors, cross-fitted": out[:, 1],
    }


def ease(noisy: Noisy) -> Signals:
    """Return EASE's scores, in sample and exactly leave-one-out."""
    within, out = ease_scores(noisy.train)
    return {"EASE, in sample": within, "EASE, leave-one-out": out}


def ials(noisy: Noisy) -> Signals:
    """Return iALS's scores of edges that each fold's fit has not seen."""
    train, scores = noisy.train, np.zeros(len(noisy.train))
    fold = noisy.rng("ials").integers(FOLDS, size=len(train))
    for one in range(FOLDS):
        rest, rows = train.where(fold != one), np.flatnonzero(fold == one)
        model = Ials(f=64, reg=10.0, alpha=10.0, sweeps=5).fit(rest)
        users = model.fold_in(rest.csr())[train.users[rows]]
        scores[rows] = np.einsum("nf,nf->n", users, model.Y[train.items[rows]])
    return {"iALS, cross-fitted": scores}


def lightgcn(noisy: Noisy) -> Signals:
    """Return the pretrained model's word on its own edges, and its training loss on them."""
    spec = RunSpec(seed=noisy.seed)
    recipe, own = recipes.pretrained(spec.params), seeds(spec, "pretrain")
    method = BPR(recipe, BACKBONES[spec.backbone], noisy.train, seeds=own, device=CPU)
    trained = fit(
        method, noisy.train, epochs=recipe.epochs, batch_size=recipe.B, lr=recipe.lr, seeds=own
    )
    return {
        LIGHTGCN: trained.scores[trained.best_epoch].astype(np.float64),
        LOSS: -trained.losses[-1].astype(np.float64),
    }


def texts(noisy: Noisy) -> Signals:
    """Return what texts say alone and beside co-occurrence."""
    train, out = noisy.train, leave_one_out(noisy.train)
    given = text_cosine(noisy.texts, users=train.users, items=train.items)
    history, readers = _alike(train, directions(noisy.texts.items)).T
    words, word_readers = _alike(train, _narrow(noisy.words)).T
    return {
        "profile against item [given]": given,
        "other items against item [composed]": history,
        "other items against readers [composed]": readers,
        "the same, TF-IDF [composed]": words,
        "the same against readers, TF-IDF [composed]": word_readers,
        BEFORE: rank_average(out, given),
        "leave-one-out and other items, rank average [composed]": rank_average(out, history),
    }


def learned(noisy: Noisy) -> Signals:
    """Return plausibility without texts, with the items' texts, and beside given profiles."""
    train, vectors = noisy.train, directions(noisy.texts.items)
    given = text_cosine(noisy.texts, users=train.users, items=train.items)
    best = plausibility(train, vectors=vectors, rng=noisy.rng("plausibility"))
    return {
        GRAPH_ONLY: plausibility(train, vectors=None, rng=noisy.rng("plausibility")),
        DEFAULT: best,
        WITH_PROFILE: rank_average(best, given),
    }


GROUPS: Mapping[str, Callable[[Noisy], Signals]] = {
    "degrees": degrees,
    "learned": learned,
    "texts": texts,
    "neighbours": neighbours,
    "lightgcn": lightgcn,
    "ease": ease,
    "ials": ials,
}


def _co_occurrence(train: Interactions) -> Scores:
    """Return the sum of cos(r_i, r_j) over u's items, the edge itself left in: (E,)."""
    ones = replace(train, weights=None).csr().astype(np.float64)
    shrink = 1.0 / np.sqrt(np.maximum(train.item_degrees(), 1.0))
    unit = csr_matrix(ones.multiply(shrink))  # (U, I)
    alike = csr_matrix(unit.T @ unit)

    def summed(users: Ints) -> Floats:
        dense: Floats = (ones[users] @ alike).toarray()
        return dense

    return pair_scores(summed, users=train.users, items=train.items)


def _alike(train: Interactions, vectors: Floats) -> Scores:
    return likeness(train, vectors, users=train.users, items=train.items)


def _narrow(words: csr_matrix) -> Floats:
    """Return TF-IDF cut to its leading directions, rows of length 1: (I, d)."""
    small = min(words.shape)
    if small < 2:
        return np.zeros((words.shape[0], 1), dtype=np.float32)
    start = np.ones(small, dtype=np.float32)
    left, values, _ = svds(words, k=min(WORDS, small - 1), v0=start)
    narrow = left * values - (left * values).mean(axis=0)
    lengths = np.linalg.norm(narrow, axis=1, keepdims=True)
    unit: Floats = (narrow / np.maximum(lengths, 1e-9)).astype(np.float32)
    return unit
