"""How much of the planted noise a run caught, beside what the degrees alone would have."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.bookshop.shop import NOISE_KINDS
from winnow.demo.detection import Flags, Scores, auc, expected_hits

Pair = tuple[str, str]
DOUBT = {"High": 0.0, "Mid": 1.0, "Low": 2.0}
STAND_IN = "Local rater"  # how the reasons of services/local_llm begin
UNRATED = -1.0  # an edge that no one suspected ranks below every edge that was rated


@dataclass(frozen=True, kw_only=True)
class Finder:
    """One way to find noise: AUC among the rated edges and among all, and its flags' worth."""

    name: str
    auc_rated: float
    auc_all: float
    precision: float
    recall: float


@dataclass(frozen=True, kw_only=True)
class Catch:
    """The account of one run: the finders, counts, and how the hard positives fared."""

    finders: tuple[Finder, ...]
    edges: int
    noise: int
    rated: int
    rated_noise: int
    flagged: int
    side_rated: int
    side_flagged: int


def read_truth(path: Path) -> dict[Pair, str]:
    """Return each train edge's kind."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return {
        (row["user_id"], row["item_id"]): row["kind"] for row in rows if row["split"] == "train"
    }


def account(truth: dict[Pair, str], verdicts: list[dict[str, Any]]) -> Catch:
    """Return what the verdicts caught of the truth.

    The other rows flag as many edges as the verdicts do. A degree is read in the direction that
    finds more, which nobody could know without the truth: it is the stronger opponent.
    """
    pairs = sorted(truth)
    noise = np.array([truth[pair] in NOISE_KINDS for pair in pairs])
    rows = {(row["user_id"], row["item_id"]): row for row in verdicts if row["edge"]}
    rated = np.array([pair in rows for pair in pairs])
    flags = np.array([_is_flagged(rows.get(pair)) for pair in pairs])
    finders = [_verdict_finder(np.array([doubt(rows.get(p)) for p in pairs]), noise, rated, flags)]
    for name, suspicion in _baselines(pairs, rows, noise).items():
        finders.append(_finder(name, suspicion, noise, rated, int(flags.sum())))
    side = np.array([truth[pair] == "side" for pair in pairs])
    return Catch(
        finders=tuple(finders),
        edges=len(pairs),
        noise=int(noise.sum()),
        rated=int(rated.sum()),
        rated_noise=int((rated & noise).sum()),
        flagged=int(flags.sum()),
        side_rated=int((side & rated).sum()),
        side_flagged=int((side & flags).sum()),
    )


def doubt(row: dict[str, Any] | None) -> float:
    """Return both views' doubt, 0 (two Highs) to 4 (two Lows); a missing word counts as Mid."""
    if row is None:
        return UNRATED
    views = row.get("ratings") or {}
    labels = [(views.get(view) or {}).get("label") for view in ("user", "item")]
    return sum(DOUBT.get(label or "Mid", 1.0) for label in labels)


def rated_by_stand_in(verdicts: list[dict[str, Any]]) -> bool:
    """Tell whether the local rater answered, which says of itself in every reason what it is."""
    ratings = [view for row in verdicts for view in (row.get("ratings") or {}).values() if view]
    return any((rating.get("reason") or "").startswith(STAND_IN) for rating in ratings)


def suspicion_of(row: dict[str, Any]) -> float:
    """Return an edge's suspicion, high is suspicious: its out-of-sample score is low."""
    return -float(row["score"])


def _is_flagged(row: dict[str, Any] | None) -> bool:
    return row is not None and row["verdict"] == "noise"


def _baselines(
    pairs: list[Pair], rows: dict[Pair, dict[str, Any]], noise: Flags
) -> dict[str, Scores]:
    scores = {pair: suspicion_of(row) for pair, row in rows.items()}
    lowest = min(scores.values(), default=0.0) - 1.0
    items = Counter(item for _, item in pairs)
    users = Counter(user for user, _ in pairs)
    return {
        "the candidate score alone": np.array([scores.get(pair, lowest) for pair in pairs]),
        "item degree alone": _better_way(np.array([items[item] for _, item in pairs]), noise),
        "user degree alone": _better_way(np.array([users[user] for user, _ in pairs]), noise),
    }


def _better_way(degrees: NDArray[np.int64], noise: Flags) -> Scores:
    suspicion = degrees.astype(np.float64)
    return suspicion if auc(suspicion, noise) >= 0.5 else -suspicion


def _verdict_finder(suspicion: Scores, noise: Flags, rated: Flags, flags: Flags) -> Finder:
    hits = float((flags & noise).sum())
    return Finder(
        name="both views' ratings",
        auc_rated=auc(suspicion[rated], noise[rated]),
        auc_all=auc(suspicion, noise),
        precision=_share(hits, int(flags.sum())),
        recall=_share(hits, int(noise.sum())),
    )


def _finder(name: str, suspicion: Scores, noise: Flags, rated: Flags, flagged: int) -> Finder:
    hits = expected_hits(suspicion, noise, flagged)
    return Finder(
        name=name,
        auc_rated=auc(suspicion[rated], noise[rated]),
        auc_all=auc(suspicion, noise),
        precision=_share(hits, flagged),
        recall=_share(hits, int(noise.sum())),
    )


def _share(part: float, whole: int) -> float:
    return part / whole if whole else float("nan")
