"""What a caller may set reaches the science, and only what it names."""

from dataclasses import asdict
from typing import Any

import pytest
import torch

from services.recsys.align import PRESETS
from services.recsys.candidates import CandidateConfig
from services.recsys.methods import bpr, llmhni
from services.recsys.refine import RefineConfig
from services.shared.errors import InvalidError
from services.shared.settings import settings
from services.shared.specs import LlmhniParams, RunSpec
from services.trainer import spec
from services.trainer.device import device

OTHER: dict[str, Any] = {
    "d": 8,
    "L": 3,
    "B": 16,
    "lr": 0.5,
    "epochs": 2,
    "M": 7,
    "K": 3,
    "pool": "relu",
    "loss": "bpr",
    "tau": 0.9,
    "edge_scores": "in_sample",
    "n1": 1,
    "n2": 1,
    "K_item": 2,
    "rule": "soft",
    "positives": "printed",
    "max_drop_share": 0.5,
    "max_added_per_item": 1,
    "tau_de": 0.9,
    "tau_hal": 0.9,
    "lambda_1": 0.9,
    "lambda_2": 0.9,
    "rho": 0.5,
}


def _configs(params: LlmhniParams) -> list[dict[str, Any]]:
    run = RunSpec(params=params)
    made = (spec.raw(params), spec.denoised(params), spec.alignment(params))
    return [asdict(c) for c in (*made, spec.candidates(run), spec.refinement(params))]


def test_no_parameter_is_forgotten() -> None:
    assert set(OTHER) == set(LlmhniParams.model_fields) - {"preset", "patience"}  # read by training


@pytest.mark.parametrize("name", OTHER)
def test_every_parameter_changes_a_configuration(name: str) -> None:
    changed = LlmhniParams.read({name: OTHER[name]})
    assert _configs(changed) != _configs(LlmhniParams())


def test_the_raw_model_has_the_recipe_of_the_science_by_default() -> None:
    assert spec.raw(LlmhniParams()) == bpr.Config()


@pytest.mark.parametrize(
    ("given", "recipe"),
    [({}, llmhni.Config.default()), ({"preset": "paper"}, llmhni.Config.paper())],
)
def test_a_preset_means_the_same_over_http_and_in_the_library(
    given: dict[str, Any], recipe: llmhni.Config
) -> None:
    assert spec.denoised(LlmhniParams.read(given)) == recipe


def test_the_refinement_and_the_candidates_have_the_defaults_of_the_science() -> None:
    assert spec.refinement(LlmhniParams()) == RefineConfig()
    run = RunSpec()
    assert spec.candidates(run) == CandidateConfig(budget=run.budget_pairs)


def test_both_models_of_a_run_share_their_recipe() -> None:
    params = LlmhniParams.read({"preset": "paper", "L": 3})
    raw, denoised = asdict(spec.raw(params)), asdict(spec.denoised(params))
    assert {name: denoised[name] for name in raw if name in denoised} == {
        name: value for name, value in raw.items() if name in denoised
    }
    assert (raw["loss"], raw["B"], raw["lr"], raw["start"]) == ("bpr", 1024, 1e-3, "normal")


def test_the_paper_aligns_as_printed() -> None:
    assert spec.alignment(LlmhniParams.read({"preset": "paper"})) == PRESETS["paper"]


def test_the_budget_caps_the_candidates() -> None:
    assert spec.candidates(RunSpec(budget_pairs=123)).budget == 123


def test_rec_pre_is_the_raw_recipe_cut_short() -> None:
    assert spec.pretrained(LlmhniParams()).epochs == 6
    assert spec.pretrained(LlmhniParams(epochs=2)).epochs == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    device.cache_clear()
    settings.cache_clear()
    assert device() == torch.device("cpu")  # auto
    monkeypatch.setenv("WINNOW_DEVICE", "cuda:0")
    device.cache_clear()
    settings.cache_clear()
    with pytest.raises(InvalidError, match="WINNOW_DEVICE is cuda:0"):
        device()
    settings.cache_clear()
    device.cache_clear()
