"""Configurations: what no field may hold is told with its name and its range."""

import re
from typing import Any

import pytest

from services.recsys.align import PRESETS, AlignConfig
from services.recsys.candidates import CandidateConfig
from services.recsys.default import Preset
from services.recsys.methods import bpr, llmhni
from services.recsys.parts import EaseSetting, GraphRecipe, IalsSetting
from services.recsys.posterior import PosteriorConfig
from services.recsys.ranges import PART, POSITIVE, SHARE, Range
from services.recsys.refine import RefineConfig

EASE = {"words": 1.0, "vectors": 1.0, "beta": 1.0, "lam": 1.0}
IALS = {"f": 8, "reg": 1.0, "alpha": 1.0}
FAULTS: list[tuple[Any, dict[str, Any], str]] = [
    (bpr.Config, {"lr": -1e-3}, "lr must be a finite number above 0, not -0.001"),
    (bpr.Config, {"B": 0}, "B must be a whole number at least 1, not 0"),
    (bpr.Config, {"d": 64.0}, "d must be a whole number at least 1, not 64.0"),
    (bpr.Config, {"tau": float("nan")}, "tau must be a finite number above 0, not nan"),
    (bpr.Config, {"lr": float("inf")}, "lr must be a finite number above 0, not inf"),
    (bpr.Config, {"loss": "bce"}, "loss must be 'bpr' or 'sampled_softmax', not 'bce'"),
    (bpr.Config, {"n_layers": -1}, "n_layers must be a whole number at least 0, not -1"),
    (llmhni.Config, {"rho": 1.0}, "rho must be a finite number in [0, 1), not 1.0"),
    (llmhni.Config, {"tau_hal": 0}, "tau_hal must be a finite number above 0, not 0"),
    (llmhni.Config, {"lambda_1": -0.1}, "lambda_1 must be a finite number at least 0, not -0.1"),
    (llmhni.Config, {"every": 0}, "every must be a whole number at least 1, not 0"),
    (llmhni.Config, {"pool": "hard"}, "pool must be 'relu' or 'softmax' or 'hardest', not 'hard'"),
    (llmhni.Config, {"hal": 1}, "hal must be True or False, not 1"),
    (llmhni.Config, {"epochs": True}, "epochs must be a whole number at least 1, not True"),
    (AlignConfig, {"layers": 3}, "layers must be 1 or 2, not 3"),
    (AlignConfig, {"layers": True}, "layers must be 1 or 2, not True"),
    (AlignConfig, {"negatives": 0}, "negatives must be a whole number at least 1, not 0"),
    (CandidateConfig, {"n1": -1}, "n1 must be a whole number at least 0, not -1"),
    (CandidateConfig, {"budget": 1.5}, "budget must be a whole number at least 0, or None"),
    (CandidateConfig, {"positive_share": 1.1}, "positive_share must be a finite number in [0, 1]"),
    (CandidateConfig, {"edge_scores": "loss"}, "edge_scores must be 'plausibility' or"),
    (RefineConfig, {"max_dropped": -0.1}, "max_dropped must be a finite number in [0, 1]"),
    (RefineConfig, {"rule": "kind"}, "rule must be 'conservative' or 'paper' or 'soft'"),
    (PosteriorConfig, {"odds": -1}, "odds must be a finite number at least 0, not -1"),
    (EaseSetting, {**EASE, "lam": 0}, "lam must be a finite number above 0, not 0"),
    (IalsSetting, {**IALS, "f": 0}, "f must be a whole number at least 1, not 0"),
    (GraphRecipe, {"patience": 0}, "patience must be a whole number at least 1, not 0"),
    (Preset, {"judged": 0}, "judged must be a whole number at least 1, not 0"),
    (Preset, {"scales": ()}, "scales must be some of ('raw', 'spread'), not ()"),
    (Preset, {"plain": ("BM25",)}, "plain must be some of ('GF-CF', 'words', 'vectors')"),
]


@pytest.mark.parametrize(
    ("kind", "fault", "told"), FAULTS, ids=[f"{one.__module__} {told}" for one, _, told in FAULTS]
)
def test_a_field_that_cannot_be_is_told_with_its_range(
    kind: type, fault: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        kind(**fault)


def test_both_ends_of_every_range_are_where_the_words_put_them() -> None:
    for within, inside, outside in (
        (SHARE, (0, 1), (-1e-9, 1 + 1e-9)),
        (PART, (0, 1 - 1e-9), (-1e-9, 1)),
        (POSITIVE, (1e-9, 1e300), (0, -1)),
        (Range(1, 2, open_low=True), (2,), (1,)),
    ):
        assert all(value in within for value in inside), within
        assert not any(value in within for value in outside), within
    assert str(Range(1, 2, open_low=True)) == "in (1, 2]"


def test_presets_and_what_a_search_tries_are_no_faults() -> None:
    assert llmhni.Config.paper().rho == 0.2
    assert PRESETS["paper"].top_n == 50
    assert bpr.Config(n_layers=0, lambda_reg=0).n_layers == 0
    assert CandidateConfig(n1=0, budget=None).budget is None
    assert EaseSetting(words=0, vectors=0, beta=0, lam=1e6).lam == 1e6
