"""Ratings of pairs whose kind is known: every rule, both views, and what an addition proves.

A file's lines may name a "kind", hidden from who rated: "real" and "fake" are a true and a planted
edge, both among the two least co-occurring edges of their user in a noisy train graph; "real_easy"
is a true edge of the upper half; "heldout_positive" and "high_score_negative" are non-edges that
EASE scores high, the first in validation.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from services.recsys.data import Bools, Embeddings, Interactions, Split
from services.recsys.plausibility import plausibility
from services.recsys.refine import RefineConfig, refine
from services.recsys.seeds import Seeds
from services.recsys.suspicion import Scores, leave_one_out, rank_average, text_cosine
from services.recsys.texts import directions
from services.recsys.verdicts import HIGH, RatedPairs, Words, soft_weights
from services.trainer.bench import replay_lines
from services.trainer.bench.catching import certainty, heard
from services.trainer.bench.detect_report import Section
from services.trainer.bench.detections import SHARE
from services.trainer.bench.planting import held_out
from services.trainer.bench.replay_lines import Ids
from services.trainer.bench.standing import area, kept, share

REAL, FAKE, EASY = "real", "fake", "real_easy"
HELD, HIGH_SCORE = "heldout_positive", "high_score_negative"
RULES: tuple[Literal["paper", "conservative", "soft"], ...] = ("paper", "conservative", "soft")
UNTOLD = (
    "Its lines tell no kind: without true and planted pairs nothing can be said of its ratings."
)
Row = list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """Rated pairs with their kind."""

    pairs: RatedPairs  # scores: the file's
    kinds: Words  # (C,)

    def where(self, *kinds: str) -> "Known":
        """Return the pairs of these kinds."""
        return self.at(np.isin(self.kinds, kinds))

    def at(self, at: Bools) -> "Known":
        """Return some of the pairs: (C,)."""
        given = self.pairs
        rest = RatedPairs(
            users=given.users[at],
            items=given.items[at],
            user_view=given.user_view[at],
            item_view=given.item_view[at],
            scores=given.scores[at],
        )
        return Known(pairs=rest, kinds=self.kinds[at])


def sections(name: str, known: Known, graph: Interactions, texts: Embeddings) -> list[Section]:
    """Return the tables of a file: areas, rules, additions."""
    of = f"{name}, {len(known.kinds)} rated pairs"
    return [
        Section(
            f"Areas on {of}",
            "The chance that a planted pair is more suspicious than a true one, ± standard error "
            "(DeLong). Suspicious: true edges of kind `real`, chosen as planted ones were, by the "
            "file's leave-one-out score; all true: those of kind `real_easy` too. Last column: "
            "the share of `real` edges that stay when half of the planted are gone. Profiles are "
            "the folder's. Scores are of train with the file's fakes and uniform ones up to "
            f"{SHARE:.0%}.",
            ["signal", "AUC, suspicious", "AUC, all true", "hard true kept"],
            area_rows(known, graph, texts),
        ),
        Section(
            f"Rules on {of}",
            "The share of each kind that a rule removes without caps, ± standard error; below, "
            "numbers alone remove as many of the same edges as the conservative rule does.",
            ["rule", "true, suspicious", "true, easy", "planted"],
            rule_rows(known, graph, texts),
        ),
        Section(
            f"Additions on {of}",
            "Of non-edges that EASE scores high, how many are validation items: of all that were "
            "rated, and of those with two Highs (C_H). Validation items were put among them on "
            "purpose: read the step from the first row to the second, not the height.",
            ["added", "pairs", "precision", "recall"],
            addition_rows(known),
        ),
    ]


def read(path: Path, *, users: Ids, items: Ids) -> Known | None:
    """Return the file's pairs; None where no line names both a true and a planted edge."""
    rows = replay_lines.lines(path.read_bytes(), path, users=users, items=items)
    kinds = np.array([str(row.kind) for row in rows])
    if not {REAL, FAKE} <= set(kinds.tolist()):
        return None
    pairs = RatedPairs(
        users=np.array([row.user for row in rows], dtype=np.int64),
        items=np.array([row.item for row in rows], dtype=np.int64),
        user_view=np.array([row.views[0] for row in rows], dtype=np.int8),
        item_view=np.array([row.views[1] for row in rows], dtype=np.int8),
        scores=np.array([row.score for row in rows], dtype=np.float64),
    )
    return Known(pairs=pairs, kinds=kinds)


def true_of(split: Split, known: Known) -> Known:
    """Return the pairs without fakes that are held out: somebody chose them, they are none."""
    pairs = known.pairs
    real = held_out(split, users=pairs.users, items=pairs.items)
    return known.at(~(real & (known.kinds == FAKE)))


def noisy(split: Split, known: Known, *, seed: int) -> Interactions:
    """Return train with the file's fakes, and uniform ones up to SHARE of the edges.

    The file's own graph had others: only those that it names are known. No pair that is drawn
    here is held out.
    """
    train = split.train
    fakes = known.where(FAKE).pairs
    sizes = {"n_users": train.n_users, "n_items": train.n_items}
    named = Interactions.build(users=fakes.users, items=fakes.items, **sizes)
    graph, rng = train.union(named), Seeds(seed).numpy("around the rated")
    wanted = round((1 + SHARE) * len(train))
    while len(graph) < wanted:
        more = wanted - len(graph)
        users, items = (
            rng.integers(train.n_users, size=more),
            rng.integers(train.n_items, size=more),
        )
        free = ~held_out(split, users=users, items=items)
        graph = graph.union(Interactions.build(users=users[free], items=items[free], **sizes))
    return graph


def scores_of(known: Known, graph: Interactions, texts: Embeddings) -> dict[str, Scores]:
    """Return what numbers, views and both say of true and planted edges, low is suspicious."""
    pairs = known.pairs
    at = graph.locate(users=pairs.users, items=pairs.items)
    rng = Seeds(0).numpy("plausibility")
    best = plausibility(graph, vectors=directions(texts.items), rng=rng)[at]
    both = certainty(pairs).astype(np.float64)
    return {
        "item degree": graph.item_degrees()[pairs.items].astype(np.float64),
        "user degree": graph.user_degrees()[pairs.users].astype(np.float64),
        "leave-one-out, the file's": pairs.scores,
        "leave-one-out": leave_one_out(graph)[at],
        "profile against item": text_cosine(texts, users=pairs.users, items=pairs.items),
        "plausibility": best,
        "user view": heard(pairs.user_view),
        "item view": heard(pairs.item_view),
        "both views": both,
        "both views and leave-one-out": rank_average(both, leave_one_out(graph)[at]),
        "both views and plausibility": rank_average(both, best),
    }


def area_rows(known: Known, graph: Interactions, texts: Embeddings) -> list[Row]:
    """Return a row a signal: AUCs with errors, and the true kept at half of the fakes gone."""
    edges = known.where(REAL, FAKE, EASY)
    hard = edges.kinds != EASY
    rows = []
    for name, score in scores_of(edges, graph, texts).items():
        fake = edges.kinds == FAKE
        suspicious = area(-score[hard], fake[hard])
        every = area(-score, fake)
        stay = kept(score, fake, edges.kinds == REAL)
        rows.append([name, _told(suspicious), _told(every), f"{stay:.3f}"])
    return rows


def rule_rows(known: Known, graph: Interactions, texts: Embeddings) -> list[Row]:
    """Return a row a rule: the shares of each kind that it removes, or its mean weights.

    Below the rules, numbers alone remove as many of the same edges as the conservative rule does.
    """
    edges = known.where(REAL, FAKE, EASY)
    rows, many = [], 0
    for rule in RULES:
        config = RefineConfig(rule=rule, max_dropped=1.0)
        if rule == "soft":
            weights = soft_weights(edges.pairs, floor=config.soft_floor).astype(np.float64)
            rows.append([f"{rule}: mean weight taken off", *_by_kind(edges, 1 - weights)])
            continue
        drops = refine(graph, edges.pairs, config=config).wanted_drops()
        many = int(drops.sum())
        rows.append([rule, *_by_kind(edges, drops.astype(np.float64))])
    scores = scores_of(edges, graph, texts)
    for name in ("user degree", "item degree", "leave-one-out", "plausibility"):
        gone = np.zeros(len(edges.kinds))
        gone[np.argsort(scores[name], kind="stable")[:many]] = 1
        rows.append([f"{name}, as many ({many})", *_by_kind(edges, gone)])
    return rows


def addition_rows(known: Known) -> list[Row]:
    """Return what two Highs prove of a non-edge: a row without and one with them."""
    pairs = known.where(HELD, HIGH_SCORE)
    wanted = pairs.kinds == HELD
    if not wanted.any() or wanted.all():
        return []
    highs = np.minimum(pairs.pairs.user_view, pairs.pairs.item_view) == HIGH
    return [
        ["every rated non-edge", f"{len(highs)}", _told(share(wanted)), "1.000"],
        ["two Highs", f"{highs.sum()}", _told(share(wanted[highs])), _told(share(highs[wanted]))],
    ]


def _by_kind(edges: Known, removed: Scores) -> list[str]:
    told = []
    for kind in (REAL, EASY, FAKE):
        some = removed[edges.kinds == kind]
        error = some.std() / np.sqrt(max(len(some), 1)) if len(some) else 0.0
        told.append(_told((float(some.mean()) if len(some) else 0.0, float(error))))
    return told


def _told(figure: tuple[float, float]) -> str:
    return f"{figure[0]:.3f} ± {figure[1]:.3f}"
