"""From the shops' outcomes to tidy figures: means, differences with intervals, what was caught."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from services.recsys.evaluate import Interval, paired_bootstrap
from services.trainer.bench.experiment import ARMS, LOCAL, METRICS, ORACLE, PLACEBO, RAW, Outcome

POOLED = "all"
DECIDES = "recall@20"
RESAMPLES, BOOTSTRAP_SEED = 1_000, 2511
PAIRS = (
    (LOCAL, PLACEBO),
    (ORACLE, RAW),
    (LOCAL, RAW),
    (PLACEBO, RAW),
    (ORACLE, "texts"),
    (LOCAL, "texts"),
)
CLAIMS = {
    "the local rater beats the placebo": (LOCAL, PLACEBO),
    "the oracle beats raw": (ORACLE, RAW),
}
CAUGHT = ("auc", "precision", "recall")

Outcomes = Mapping[int, Outcome]
"""By seed."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of the report; `seed` is "all" where the shops' users are pooled."""

    table: str  # test, validation, difference, caught
    seed: str
    name: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None


def figures(outcomes: Outcomes) -> list[Figure]:
    """Return every number of the report, in the order of its tables."""
    return [
        *_tests(outcomes),
        *_validations(outcomes),
        *_differences(outcomes),
        *_caught(outcomes),
    ]


def verdicts(rows: Sequence[Figure]) -> dict[str, bool]:
    """Return which claims are met: the pooled interval of Recall@20 lies above zero."""
    return {claim: (_pooled(rows, a, b).low or 0.0) > 0.0 for claim, (a, b) in CLAIMS.items()}


def difference_of(a: str, b: str) -> str:
    """Return how a difference is named."""
    return f"{a} - {b}"


def _pooled(rows: Sequence[Figure], a: str, b: str) -> Figure:
    wanted = ("difference", POOLED, difference_of(a, b), DECIDES)
    return next(row for row in rows if (row.table, row.seed, row.name, row.metric) == wanted)


def _tests(outcomes: Outcomes) -> list[Figure]:
    return [
        Figure(table="test", seed=seed, name=arm, metric=metric, value=float(users.mean()))
        for seed, some in _shops(outcomes)
        for arm in ARMS
        for metric in METRICS
        for users in [_users(some, arm, metric)]
    ]


def _validations(outcomes: Outcomes) -> list[Figure]:
    return [
        Figure(
            table="validation",
            seed=seed,
            name=arm,
            metric=DECIDES,
            value=float(np.mean([_arms(one)[arm]["validation"] for one in some])),
        )
        for seed, some in _shops(outcomes)
        for arm in ARMS
    ]


def _differences(outcomes: Outcomes) -> list[Figure]:
    return [
        _difference(seed, some, pair, metric)
        for pair in PAIRS
        for metric in METRICS
        for seed, some in _shops(outcomes)
    ]


def _difference(seed: str, some: Sequence[Outcome], pair: tuple[str, str], metric: str) -> Figure:
    a, b = (_users(some, arm, metric) for arm in pair)
    interval: Interval = paired_bootstrap(a, b, seed=BOOTSTRAP_SEED, n=RESAMPLES)
    return Figure(
        table="difference",
        seed=seed,
        name=difference_of(*pair),
        metric=metric,
        value=interval.difference,
        low=interval.low,
        high=interval.high,
    )


def _caught(outcomes: Outcomes) -> list[Figure]:
    rows = []
    for seed, some in _shops(outcomes):
        found = [cast("list[dict[str, Any]]", one.figures["caught"]) for one in some]
        for finders in zip(*found, strict=True):
            name = str(finders[0]["name"])
            for metric in CAUGHT:
                value = float(np.mean([float(finder[metric]) for finder in finders]))
                rows.append(
                    Figure(table="caught", seed=seed, name=name, metric=metric, value=value)
                )
    return rows


def _shops(outcomes: Outcomes) -> list[tuple[str, list[Outcome]]]:
    each = [(str(seed), [one]) for seed, one in sorted(outcomes.items())]
    return [(POOLED, [one for _, (one,) in each]), *each]


def _users(some: Sequence[Outcome], arm: str, metric: str) -> npt.NDArray[np.float64]:
    return np.concatenate([one.per_user[f"{arm}/{metric}"] for one in some]).astype(np.float64)


def _arms(one: Outcome) -> dict[str, dict[str, float]]:
    return cast("dict[str, dict[str, float]]", one.figures["arms"])
