"""The noise bench on a published split of two tastes: what is planted, asked, told and kept."""

import csv
import json
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from services.recsys.candidates import Candidates
from services.recsys.data import Embeddings
from services.recsys.verdicts import HIGH, LABELS, LOW
from services.trainer.bench import noise, noise_losses, published
from services.trainer.bench.__main__ import main
from services.trainer.bench.answers import Profiles
from services.trainer.bench.arms import Views
from services.trainer.bench.corpus import Corpus
from services.trainer.bench.noise_losses import Found
from services.trainer.bench.noise_losses import Result as Figures
from services.trainer.bench.noise_raters import drawn, rates
from services.trainer.bench.noise_rows import CLOSED, DOUBT, RAW, SOFTMAX, named
from services.trainer.bench.planting import Kind, planted
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


def _found(share: float, seed: int, values: dict[str, float]) -> Found:
    spread = np.linspace(-0.01, 0.01, 50)
    results = {
        name: Figures(figures={"recall@20": value}, users=value + spread)
        for name, value in values.items()
    }
    return Found(share=share, seed=seed, results=results, names=list(values))


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


def test_the_price_of_ratings_is_told_by_the_interval_over_users() -> None:
    doubt, local = named(CLOSED, DOUBT), named(CLOSED, "local")
    for gain, word in ((0.002, "MET"), (-0.002, "MISSED")):
        found = [_found(0.2, seed, {doubt: 0.1, local: 0.1 + gain}) for seed in (0, 1)]
        lines = noise_losses.claims(found)
        assert [line for line in lines if f"- {word}: {CLOSED}: ratings local add" in line]
