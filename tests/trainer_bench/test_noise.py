"""The noise bench on a published split of two tastes: what is planted, asked, told and kept."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from services.recsys.candidates import Candidates
from services.recsys.data import Embeddings
from services.recsys.posterior import PosteriorConfig
from services.recsys.tfidf import tf_idf
from services.recsys.verdicts import HIGH, LABELS, LOW
from services.shared.errors import InvalidError
from services.trainer.bench import corpus, noise, noise_losses, noise_rows, published
from services.trainer.bench.__main__ import main
from services.trainer.bench.answers import Profiles
from services.trainer.bench.arms import Views
from services.trainer.bench.corpus import Corpus
from services.trainer.bench.denoiser_rows import Texts
from services.trainer.bench.noise_case import AS_SAID, Case, Dials, flagged
from services.trainer.bench.noise_losses import Found
from services.trainer.bench.noise_losses import Result as Figures
from services.trainer.bench.noise_raters import Rates, drawn, rates
from services.trainer.bench.noise_rows import CLOSED, DEFAULT, DOUBT, RAW, SOFTMAX, named
from services.trainer.bench.planting import Kind, planted
from services.trainer.bench.schedule import Clock
from tests.trainer_bench.folder import ITEMS, USERS

DOUBTED = [
    "GF-CF, raw",
    "GF-CF, doubt",
    "softmax, raw",
    "softmax, local",
    "softmax, oracle",
    "closed forms, local",
]


class Knowing:
    """An endpoint that knows the tastes: items of the user's parity are High, others Low."""

    asked = 0

    def __init__(self, _: Path) -> None:
        """Need no folder."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close nothing."""

    def __call__(self, _: Profiles, pairs: Candidates) -> Views:
        type(self).asked += 1
        alike = (pairs.users - pairs.items) % 2 == 0
        said = np.where(alike, HIGH, LOW).astype(np.int8)
        return said, said


def _vectors(_: Corpus, __: Path) -> Embeddings:
    rng = np.random.default_rng(4)

    def lean(count: int) -> torch.Tensor:
        rows = np.eye(8)[np.arange(count) % 2] + rng.normal(size=(count, 8))
        return torch.from_numpy(rows).float()

    return Embeddings(lean(USERS), lean(ITEMS))


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise.corpus, "vectors", _vectors)
    monkeypatch.setattr(noise, "Listener", Knowing)


def _run(folder: Path, out: Path, *more: str) -> Result:
    only = [word for name in DOUBTED for word in ("--only", name)]
    shares = ["--share", "0", "--share", "0.2", "--epochs", "1", "--seeds", "1"]
    words = ["noise", "--data", str(folder), "--out", str(out), *shares, *only, *more]
    return CliRunner().invoke(main, words, catch_exceptions=False)


@pytest.mark.usefixtures("stub")
def test_the_bench_tells_losses_writes_its_figures_and_resumes(
    folder: Path, tmp_path: Path
) -> None:
    first = _run(folder, tmp_path)
    asked = Knowing.asked
    assert asked > 0
    assert f"| {named(SOFTMAX, 'local')} |" in first.stdout
    assert "MET: " in first.stdout or "MISSED: " in first.stdout
    assert (tmp_path / "noise.md").read_text(encoding="utf-8").strip() == first.stdout.strip()
    with (tmp_path / "noise.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    weights = {
        (row["row"], row["figure"]): float(row["value"])
        for row in rows
        if row["noise"] == "0.2" and row["figure"].startswith("weight_")
    }
    # the rater knows the truth: what it calls noise weighs less than what it does not
    for source in ("local", "oracle"):
        row = named(SOFTMAX, source)
        assert weights[row, "weight_fake"] < weights[row, "weight_true"] - 0.3
    again = _run(folder, tmp_path)
    assert again.stdout == first.stdout
    assert Knowing.asked == asked


@pytest.mark.parametrize("kind", ["uniform", "popularity"])
def test_fakes_are_planted_into_train_only_and_hit_nothing_held_out(
    folder: Path, kind: Kind
) -> None:
    split = published.read(folder)
    made = planted(split, share=0.2, seed=3, kind=kind)
    train = made.split.train
    assert made.split.val is split.val
    assert made.split.test is split.test
    assert train.where(~made.fake).keys().tolist() == split.train.keys().tolist()
    fakes = set(train.where(made.fake).keys().tolist())
    assert not fakes & {*split.val.keys().tolist(), *split.test.keys().tolist()}
    assert 0.15 * len(split.train) < len(fakes) <= 0.2 * len(split.train)
    again = planted(split, share=0.2, seed=3, kind=kind)
    assert again.split.train.keys().tolist() == train.keys().tolist()


def test_clean_and_a_fifth_of_noise_come_first_and_take_turns(folder: Path) -> None:
    plan = noise.Plan(seeds=2, shares=noise.SHARES, kind="uniform", given=False)
    case, known = _case(folder), corpus.read(folder)
    bench = noise.Bench(corpus=known, vectors=_vectors(known, folder), base=case, plan=plan)
    asked = [[(one.planted.seed, one.planted.share) for one in cases] for cases in bench.waves()]
    assert asked[:3] == [[(0, 0.0), (0, 0.2)], [(0, 0.1)], [(0, 0.05)]]
    assert len(asked) == 1 + 3 + 4
    assert asked[-4:] == [[(1, share)] for share in (0.2, 0.1, 0.05, 0.15)]


@pytest.mark.usefixtures("stub")
def test_a_budget_that_ends_early_leaves_rows_not_shares(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([False] * 2)  # two cells may start
    monkeypatch.setattr(Clock, "over", lambda _: next(looks, True))
    told = _run(folder, tmp_path, "--budget-minutes", "60").stdout
    line = next(line for line in told.splitlines() if line.startswith("| GF-CF, raw |"))
    assert "not run" not in line
    assert told.count("| not run |") > 0


def test_labels_are_drawn_as_often_as_an_llm_gave_them(tmp_path: Path) -> None:
    said = [("real", "High", "Mid"), ("real", "High", "High"), ("fake", "Low", "Low")]
    rows = [{"kind": kind, "user_view": u, "item_view": i} for kind, u, i in said]
    rows.append({"kind": "real_easy", "user_view": "Low", "item_view": "Low"})  # not suspicious
    path = tmp_path / "said.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    shares = rates(path)
    assert shares is not None
    fake = np.arange(4_000) < 1_000
    user, item = drawn(shares, fake, rng=np.random.default_rng(0))
    assert set(zip(user[fake].tolist(), item[fake].tolist(), strict=True)) == {(LOW, LOW)}
    assert (user[~fake] == HIGH).all()
    assert (item[~fake] == LABELS["Mid"]).mean() == pytest.approx(0.5, abs=0.03)
    path.write_text(json.dumps(rows[0]), encoding="utf-8")
    assert rates(path) is None


def _case(folder: Path, **other: Any) -> Case:  # noqa: ANN401 - any of a case's
    known = corpus.read(folder)
    given: dict[str, Any] = {
        "planted": planted(known.split, share=0.2, seed=0, kind="uniform"),
        "texts": _vectors(known, folder),
        "given": False,
        "words": tf_idf(known.items),
        "profiles": known,
        "ask": Knowing(folder),
        "said": {},
        "rates": Rates(real=np.eye(9)[8], fake=np.eye(9)[0]),
    }
    return Case(**{**given, **other})


def _plans(case: Case, folder: Path) -> dict[str, Mapping[str, object]]:
    texts = Texts(vectors=case.texts, folder=folder)
    return {row.name: row.plan for row in noise_rows.rows(case, texts)}


def test_what_shapes_a_row_is_in_its_plan(folder: Path, tmp_path: Path) -> None:
    before = _plans(_case(folder), tmp_path)
    rated = _plans(_case(folder, rates=Rates(real=np.eye(9)[7], fake=np.eye(9)[0])), tmp_path)
    differ = {name for name in before if before[name] != rated[name]}
    assert differ == {name for name in before if name.endswith(f", {AS_SAID}")}
    milder = Dials(mild=PosteriorConfig(odds=0.1))
    dialled = _plans(_case(folder, dials=milder), tmp_path)
    differ = {name for name in before if before[name] != dialled[name]}
    mild = ("EASE, ", f"{DEFAULT}, ")
    assert differ == {n for n in before if n.startswith(mild) and not n.endswith(f", {RAW}")}


def test_a_peer_on_the_milder_graph_tells_that_graphs_weights(folder: Path) -> None:
    case = _case(folder)
    odd, mild = flagged(case, DOUBT), flagged(case, DOUBT, mild=True)
    assert mild["weight_fake"] > odd["weight_fake"]


@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize("names", [["local"], ["as the LLM"], ["doubt"], ["a/said", "b/said"]])
def test_ratings_whose_rows_would_be_taken_for_others_are_refused(
    folder: Path, tmp_path: Path, names: list[str]
) -> None:
    words = []
    for name in names:
        path = tmp_path / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        line = {"user_id": 1, "item_id": 2, "user_view": "Low", "item_view": None}
        path.write_text(json.dumps(line), encoding="utf-8")
        words += ["--ratings", str(path)]
    told = f"Ratings named {Path(names[0]).name}: rows go by that name, rename the file."
    with pytest.raises(InvalidError) as error:
        _run(folder, tmp_path, *words)
    assert error.value.detail == told


def _found(share: float, seed: int, values: dict[str, float]) -> Found:
    spread = np.linspace(-0.01, 0.01, 50)
    results = {
        name: Figures(figures={"recall@20": value}, users=value + spread)
        for name, value in values.items()
    }
    return Found(share=share, seed=seed, results=results, names=list(values))


@pytest.mark.usefixtures("stub")
def test_shares_of_one_rounded_percent_are_columns_of_their_own(
    folder: Path, tmp_path: Path
) -> None:
    words = ["noise", "--data", str(folder), "--out", str(tmp_path), "--seeds", "1"]
    words += ["--share", "0.11", "--share", "0.112", "--only", named("GF-CF", RAW)]
    told = CliRunner().invoke(main, words, catch_exceptions=False).stdout
    assert "| 11%: R@20, loss | 11.2%: R@20, loss |" in told


def test_losses_are_relative_to_the_rows_own_clean_figure_with_an_interval_over_plantings() -> None:
    raw, ours = named(SOFTMAX, RAW), named(SOFTMAX, DOUBT)
    found = [
        _found(0.0, 0, {raw: 0.2, ours: 0.1}),
        _found(0.2, 0, {raw: 0.18, ours: 0.098}),
        _found(0.2, 1, {raw: 0.16, ours: 0.096}),
    ]
    at = noise_losses.loss(found, ours, 0.2)
    assert at is not None
    # losses 2 % and 4 %: t of one degree of freedom is 12.706, deviation .01 * sqrt(2)
    assert (at.mean, at.recall, at.count) == (pytest.approx(0.03), pytest.approx(0.097), 2)
    assert at.high == pytest.approx(0.03 + 12.706 * 0.01, abs=1e-5)
    assert noise_losses.loss(found, ours, 0.1) is None
    lines = noise_losses.claims(found)
    assert len(lines) == 1
    assert lines[0].startswith(f"- MET: {ours}: loses 3.0%")  # raw loses 15 %


def test_only_what_can_be_had_meets_or_misses_a_target() -> None:
    sources = (RAW, DOUBT, "local", "placebo", "oracle", AS_SAID, "gold")
    rows = [named(base, source) for base in (CLOSED, DEFAULT, SOFTMAX) for source in sources]
    found = [_found(share, 0, dict.fromkeys(rows, 0.1)) for share in (0.0, 0.2)]
    lines = [line for line in noise_losses.claims(found) if ": loses " in line]
    judged = {line.split(": ")[1] for line in lines if line.startswith(("- MET: ", "- MISSED: "))}
    bases = (CLOSED, DEFAULT, SOFTMAX)
    assert judged == {named(base, s) for base in bases for s in (DOUBT, "local", "gold")}
    told = {line.removeprefix("- ").split(": ")[0] for line in lines} - {"MET", "MISSED"}
    assert told == {*rows} - judged - {named(SOFTMAX, RAW)}  # nobody halves its own loss


def test_the_price_of_ratings_is_told_by_the_interval_over_users() -> None:
    doubt, local = named(CLOSED, DOUBT), named(CLOSED, "local")
    for gain, word in ((0.002, "MET"), (-0.002, "MISSED")):
        found = [_found(0.2, seed, {doubt: 0.1, local: 0.1 + gain}) for seed in (0, 1)]
        lines = noise_losses.claims(found)
        assert [line for line in lines if f"- {word}: {CLOSED}: ratings local add" in line]
