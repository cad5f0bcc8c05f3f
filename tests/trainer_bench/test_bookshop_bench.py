"""The bookshop bench from end to end, on a shop small enough for a test."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from services.recsys.evaluate import Evaluation
from services.shared.specs import LlmhniParams, RunSpec
from services.trainer.bench import bookshop, comparisons, experiment, kept, report
from services.trainer.bench.comparisons import Figure
from services.trainer.bench.experiment import ARMS, METRICS, Outcome

SPEC = RunSpec(params=LlmhniParams(n1=1, n2=2, B=256, epochs=2, patience=2, d=8), budget_pairs=80)
SIZES = ("--readers", "40", "--books", "80")


def _run(out: Path, seeds: list[int]) -> list[Figure]:
    return bookshop.run(out, seeds=seeds, spec=SPEC, sizes=SIZES)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Figure]]:
    out = tmp_path_factory.mktemp("bench")
    return out, _run(out, [0])


def test_the_printed_figures_are_the_figures_of_the_csv(first: tuple[Path, list[Figure]]) -> None:
    out, rows = first
    with (out / report.CSV).open(encoding="utf-8") as file:
        kept = list(csv.DictReader(file))
    assert len(kept) == len(rows)
    values = {
        f"{float(row['value']):.4f}" if not row["low"] else f"{float(row['value']):+.4f}"
        for row in kept
    }
    intervals = {
        f"{float(row[side]):+.4f}" for row in kept for side in ("low", "high") if row[side]
    }
    printed = re.findall(r"[+-]?\d\.\d{4}", report.markdown(rows))
    assert len(printed) > len(ARMS) * len(METRICS)
    assert set(printed) <= values | intervals
    assert (out / report.MARKDOWN).read_text(encoding="utf-8") == report.markdown(rows)


def test_every_claim_is_met_or_missed(first: tuple[Path, list[Figure]]) -> None:
    out, rows = first
    lines = report.claim_lines(rows)
    assert [line.split(": ")[1] for line in lines] == [
        "the local rater beats the placebo",
        "the oracle beats raw",
    ]
    assert {line.split(": ")[0] for line in lines} <= {"MET", "MISSED"}
    claims = json.loads((out / report.JSON).read_text(encoding="utf-8"))["claims"]
    assert claims == comparisons.verdicts(rows)


def test_all_arms_judge_the_same_pairs_and_the_oracle_is_perfect(
    first: tuple[Path, list[Figure]],
) -> None:
    _, rows = first
    caught = {(row.name, row.metric): row.value for row in rows if row.table == "caught"}
    assert [caught["oracle", metric] for metric in ("auc", "precision", "recall")] == [1.0] * 3
    assert 0.0 < caught["local", "auc"] < 1.0


def test_a_second_call_runs_the_new_shop_only(
    first: tuple[Path, list[Figure]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, rows = first
    both = _run(out, [0, 1])
    said = capsys.readouterr().err
    assert "shop 0: done before" in said
    assert "shop 0: training" not in said
    assert "shop 1: training oracle" in said
    old = {(row.table, row.name, row.metric): row for row in rows if row.seed == "0"}
    new = {(row.table, row.name, row.metric): row for row in both if row.seed == "0"}
    assert new == old


def test_a_kept_outcome_comes_back_for_its_own_plan_only(tmp_path: Path) -> None:
    matrix = np.arange(12.0).reshape(4, 3)
    judged = {"raw": Evaluation(users=np.arange(4), ks=(5, 10, 20), recall=matrix, ndcg=-matrix)}
    outcome = Outcome(figures={"pairs": 3}, per_user=experiment.per_user(judged))
    plan, other = (
        kept.plan_of(SPEC.model_copy(update={"seed": seed}), names={"rater": "r"}, sizes=())
        for seed in (0, 1)
    )
    kept.save(tmp_path / "shop", plan, outcome)
    again = kept.load(tmp_path / "shop", plan)
    assert again is not None
    assert again.figures == {"pairs": 3}
    assert again.per_user["raw/recall@20"].tolist() == [2.0, 5.0, 8.0, 11.0]
    assert again.per_user["raw/ndcg@10"].tolist() == [-1.0, -4.0, -7.0, -10.0]
    assert kept.load(tmp_path / "shop", other) is None
    assert kept.load(tmp_path / "nowhere", plan) is None


def test_a_claim_is_met_only_when_the_whole_interval_lies_above_zero() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(400)

    def outcome(local: float, oracle: float) -> Outcome:
        gains = {"local": local, "oracle": oracle}
        noise = rng.normal(0, 0.1, 400)
        users = {
            f"{arm}/{metric}": base + gains.get(arm, 0.0) + (noise if arm in gains else 0.0)
            for arm in ARMS
            for metric in METRICS
        }
        arms = {arm: {"validation": 0.5} for arm in ARMS}
        return Outcome(figures={"arms": arms, "caught": []}, per_user=users)

    met = comparisons.verdicts(comparisons.figures({0: outcome(0.05, 0.05)}))
    assert met == dict.fromkeys(comparisons.CLAIMS, True)
    # half a standard error (0.1 / 20) above zero is no proof
    missed = comparisons.verdicts(comparisons.figures({0: outcome(-0.05, 0.0025 - 0.005)}))
    assert missed == dict.fromkeys(comparisons.CLAIMS, False)
