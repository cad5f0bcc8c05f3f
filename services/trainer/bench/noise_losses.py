"""What noise costs each model, which targets that meets, and what ratings add."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from scipy.special import stdtrit

from services.recsys.evaluate import paired_bootstrap
from services.recsys.metrics import Floats
from services.trainer.bench.noise_case import LOCAL, PLACEBO
from services.trainer.bench.noise_rows import CLOSED, DEFAULT, DOUBT, RAW, SOFTMAX, TAKEN, named

DECIDES = "recall@20"
WORST = 0.2
MOST = 0.02
"""The default may lose so much of its own clean Recall@20 at 20 % noise."""
RESAMPLES, BOOTSTRAP_SEED = 1_000, 2511
Figures = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """A row on one planted graph."""

    figures: Figures
    users: Floats  # each test user's Recall@20


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What was computed on one planted graph."""

    share: float
    seed: int
    results: Mapping[str, Result]
    names: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Loss:
    """1 - R@20 / own clean R@20 over the plantings, with the t interval of their mean."""

    mean: float
    low: float | None  # None with a single planting
    high: float | None
    recall: float
    count: int


def loss(found: Sequence[Found], name: str, share: float) -> Loss | None:
    """Return what a row loses; None where it or its clean twin was not computed."""
    clean = recalls(found, name, 0.0)
    there = recalls(found, name, share)
    if not clean or not there:
        return None
    lost = [1 - value / clean[0] for value in there]
    mean, count = fmean(lost), len(lost)
    half = None
    if count > 1:
        half = float(stdtrit(count - 1, 0.975)) * float(np.std(lost, ddof=1)) / count**0.5
    return Loss(
        mean=mean,
        low=None if half is None else mean - half,
        high=None if half is None else mean + half,
        recall=fmean(there),
        count=count,
    )


def claims(found: Sequence[Found]) -> list[str]:
    """Return MET or MISSED where both sides of a claim were computed.

    Who knows the truth, or nothing, meets no target: those rows are told without a verdict.
    """
    names = list(dict.fromkeys(name for one in found for name in one.results))
    return [
        *(line for name in names if name.startswith(DEFAULT) for line in _keeps(found, name)),
        *(
            line
            for name in names
            if name.startswith(f"{SOFTMAX}, ")
            for line in _halves(found, name)
        ),
        *(line for base in (CLOSED, DEFAULT) for line in _price(found, base)),
    ]


def _judged(name: str) -> bool:
    """Return whether a row's graph is by what can be had: doubt, the endpoint, a replayed file."""
    bases = (f"{base}, " for base in (CLOSED, DEFAULT, SOFTMAX))
    source = next(name.removeprefix(base) for base in bases if name.startswith(base))
    return source in {DOUBT, LOCAL} or source not in TAKEN


def _keeps(found: Sequence[Found], name: str) -> list[str]:
    at = loss(found, name, WORST)
    if at is None:
        return []
    words = f"{name}: loses {told(at)} of its own clean R@20 at 20 % noise"
    return [
        _claim(f"{words} (at most 2 %)", met=at.mean <= MOST) if _judged(name) else f"- {words}"
    ]


def _halves(found: Sequence[Found], name: str) -> list[str]:
    ours, raw = loss(found, name, WORST), loss(found, named(SOFTMAX, RAW), WORST)
    if ours is None or raw is None or name == named(SOFTMAX, RAW):
        return []
    words = f"{name}: loses {told(ours)} where it loses {told(raw)} without refinement"
    if not _judged(name):
        return [f"- {words}"]
    return [_claim(f"{words} (half)", met=ours.mean <= raw.mean / 2)]


def _price(found: Sequence[Found], base: str) -> list[str]:
    """Return what each rater adds to the default with doubt alone, at 0 and at 20 %.

    The local endpoint is held against its placebo where that ran: to be asked at all moves
    weights, because decoys tell how far the asked edges' doubt could be trusted.
    """
    lines = []
    raters = [
        name.removeprefix(f"{base}, ")
        for one in found
        for name in one.results
        if name.startswith(f"{base}, ")
    ]
    for share in (0.0, WORST):
        for rater in dict.fromkeys(raters):
            if rater in {RAW, DOUBT} or (base == DEFAULT and rater.startswith("closed forms")):
                continue
            ran = {name for one in found if one.share == share for name in one.results}
            against = PLACEBO if rater == LOCAL and named(base, PLACEBO) in ran else DOUBT
            pairs = [
                (one.results[named(base, rater)].users, one.results[named(base, against)].users)
                for one in found
                if one.share == share
                and named(base, rater) in one.results
                and named(base, against) in one.results
            ]
            if pairs:
                ours, theirs = (np.mean(side, axis=0) for side in zip(*pairs, strict=True))
                at = paired_bootstrap(ours, theirs, seed=BOOTSTRAP_SEED, n=RESAMPLES)
                gap = f"{at.difference:+.4f} [{at.low:+.4f}, {at.high:+.4f}]"
                words = (
                    f"{base}: ratings {rater} add {gap} R@20 to "
                    f"{'doubt alone' if against == DOUBT else 'their placebo'} at "
                    f"{percent(share)} noise"
                )
                lines.append(_claim(words, met=at.low > 0) if rater == LOCAL else f"- {words}")
    return lines


def told(at: Loss) -> str:
    """Return a loss in per cent, with its interval over plantings."""
    if at.low is None or at.high is None:
        return f"{at.mean:.1%} (one planting)"
    return f"{at.mean:.1%} [{at.low:.1%}, {at.high:.1%}]"


def percent(share: float) -> str:
    """Return a share as it was asked for: no two of them read alike."""
    return f"{100 * share:g}%"


def recalls(found: Sequence[Found], name: str, share: float) -> list[float]:
    """Return a row's Recall@20 on every planting of a share."""
    return [
        float(one.results[name].figures[DECIDES])
        for one in found
        if one.share == share and name in one.results
    ]


def _claim(words: str, *, met: bool) -> str:
    return f"- {'MET' if met else 'MISSED'}: {words}"
