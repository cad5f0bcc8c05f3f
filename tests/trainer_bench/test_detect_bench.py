"""bench detect on two tastes: every signal and table, no cell twice, ratings of either kind."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.sparse import csr_matrix

from services.recsys.data import Embeddings
from services.recsys.detect import KINDS, Kind
from services.recsys.verdicts import HIGH, LOW, MID, MISSING
from services.shared.errors import InvalidError
from services.trainer.bench import corpus, detect, detect_report, local_rated, rated_truth, signals
from services.trainer.bench.__main__ import main
from services.trainer.bench.arms import rated
from services.trainer.bench.catching import heard
from services.trainer.bench.corpus import Corpus
from services.trainer.bench.detect import Asked
from services.trainer.bench.detections import Planted, caught, planting
from services.trainer.bench.local_rated import Question
from services.trainer.bench.planting import held_out
from services.trainer.bench.signals import Noisy
from tests.trainer_bench.folder import ITEMS, USERS


@pytest.fixture(scope="module")
def known(folder: Path) -> Corpus:
    return corpus.read(folder)


@pytest.fixture(scope="module")
def texts() -> Embeddings:
    rng = np.random.default_rng(4)

    def lean(count: int) -> torch.Tensor:
        sides = np.eye(8)[np.arange(count) % 2] + 0.3 * rng.normal(size=(count, 8))
        return torch.from_numpy(sides).float()

    return Embeddings(lean(USERS), lean(ITEMS))


@pytest.fixture(scope="module")
def gold(known: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file by a rater who knows the truth: High of edges, Low of crossing pairs."""
    train, val, rows = known.split.train, known.split.val, []

    def tell(user: int, item: int, kind: str, label: str) -> None:
        pair = {"user_id": user, "item_id": item, "kind": kind, "score": 0.5}
        rows.append({**pair, "user_view": label, "item_view": label})

    for user in range(0, 40, 2):
        mine = train.users == user
        tell(user, int(train.items[mine][0]), "real", "High")
        tell(user, int(train.items[mine][1]), "real_easy", "High")
        tell(user, 2 * user % ITEMS + 1, "fake", "Low")  # a foreign taste is no edge
        tell(user, int(val.items[val.users == user][0]), "heldout_positive", "High")
        tell(user, (2 * user + 2) % ITEMS + 1, "high_score_negative", "Mid")
    path = tmp_path_factory.mktemp("gold") / "gold.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def done(
    known: Corpus,
    texts: Embeddings,
    gold: Path,
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("detect")
    asked = Asked(seeds=1, ratings=[detect.read(gold, folder)], trained=1)
    return out, detect.run(known, texts, out, asked=asked)


def test_every_kind_of_fakes_has_every_signal_and_the_degrees(done: tuple[Path, str]) -> None:
    out, told = done
    rows = list(csv.DictReader((out / detect_report.CSV).read_text("utf-8").splitlines()))
    for kind in KINDS:
        names = {row["row"] for row in rows if row["table"] == kind}
        assert {signals.ITEM_DEGREE, signals.USER_DEGREE, signals.LIGHTGCN} < names
        assert {signals.BEFORE, signals.DEFAULT, "EASE, leave-one-out"} < names
    assert told.count("MET: ") + told.count("MISSED: ") == len(KINDS)
    assert told == (out / detect_report.MARKDOWN).read_text(encoding="utf-8")


def test_a_second_run_computes_nothing_and_says_the_same(
    done: tuple[Path, str],
    known: Corpus,
    texts: Embeddings,
    gold: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: Noisy) -> signals.Signals:
        raise AssertionError("a finished cell was computed again")

    monkeypatch.setattr(signals, "GROUPS", dict.fromkeys(signals.GROUPS, refuse))
    out, told = done
    asked = Asked(seeds=1, ratings=[detect.read(gold, folder)], trained=1)
    assert detect.run(known, texts, out, asked=asked) == told


def test_two_tastes_are_told_apart_by_plausibility(known: Corpus, texts: Embeddings) -> None:
    train, fake = planting(known.split, "degree", 0)
    noisy = Noisy(train, texts, csr_matrix((ITEMS, 0)), 0)
    found = signals.learned(noisy)
    crossing = train.users % 2 != train.items % 2  # only those fakes can be known for fakes
    assert crossing.sum() > 50
    low = np.argsort(found[signals.DEFAULT], kind="stable")[: int(crossing.sum())]
    assert crossing[low].mean() > 0.8
    assert not crossing[~fake].any()


def test_a_rater_who_knows_the_truth_removes_every_fake_and_no_true_edge(
    known: Corpus, texts: Embeddings, gold: Path
) -> None:
    told = rated_truth.read(gold, users=range(USERS), items=range(ITEMS))
    assert told is not None
    graph = rated_truth.noisy(known.split, told, seed=0)
    assert len(graph) == round(1.2 * len(known.split.train))
    areas = {row[0]: row[1:] for row in rated_truth.area_rows(told, graph, texts)}
    assert areas["both views"] == ["1.000 ± 0.000", "1.000 ± 0.000", "1.000"]
    rules = {row[0]: row[1:] for row in rated_truth.rule_rows(told, graph, texts)}
    nothing, everything = "0.000 ± 0.000", "1.000 ± 0.000"
    assert rules["paper"] == rules["conservative"] == [nothing, nothing, everything]
    assert rules["soft: mean weight taken off"] == [nothing, nothing, "0.900 ± 0.000"]
    added = rated_truth.addition_rows(told)
    assert added[1][1:] == ["20", everything, everything]


@pytest.mark.parametrize("kind", KINDS)
def test_no_fake_is_held_out(known: Corpus, kind: Kind) -> None:
    split = known.split
    train, fake = planting(split, kind, 0)
    assert not held_out(split, users=train.users[fake], items=train.items[fake]).any()
    assert train.where(~fake).keys().tolist() == split.train.keys().tolist()
    assert fake.sum() > 0.15 * len(split.train)


def test_a_file_s_fakes_that_are_held_out_are_none_and_no_other_is_drawn(
    known: Corpus, gold: Path
) -> None:
    split, told = known.split, rated_truth.read(gold, users=range(USERS), items=range(ITEMS))
    assert told is not None
    wrong = replace(told, kinds=np.where(told.kinds == "heldout_positive", "fake", told.kinds))
    left = rated_truth.true_of(split, wrong)
    assert left.kinds.tolist().count("fake") == told.kinds.tolist().count("fake") == 20
    graph = rated_truth.noisy(split, left, seed=0)
    assert not held_out(split, users=graph.users, items=graph.items).any()


def test_a_missing_label_counts_as_mid_in_its_view_too() -> None:
    assert heard(np.array([LOW, MISSING, MID, HIGH], dtype=np.int8)).tolist() == [0, 1, 1, 2]


def test_ratings_without_kinds_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "plain.jsonl"
    line = {"user_id": 0, "item_id": 0, "user_view": "High", "item_view": "Low"}
    path.write_text(json.dumps(line), encoding="utf-8")
    assert rated_truth.read(path, users=range(2), items=range(2)) is None


def test_a_fault_in_the_ratings_is_told_before_anything_takes_long(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect.corpus, "vectors", lambda *_: pytest.fail("that takes minutes"))
    path = tmp_path / "said.jsonl"
    path.write_text("{", encoding="utf-8")
    words = ["detect", "--data", str(folder), "--out", str(tmp_path), "--ratings", str(path)]
    with pytest.raises(InvalidError, match=r"said\.jsonl, line 1: no JSON"):
        CliRunner().invoke(main, words, catch_exceptions=False)


def test_the_endpoint_is_asked_about_the_least_plausible_and_about_missing_edges(
    known: Corpus,
    texts: Embeddings,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Question] = []

    def answer(
        _: Corpus, questions: list[Question], __: Path
    ) -> list[dict[str, local_rated.RatedPairs]]:
        asked.extend(questions)
        said = []
        for one in questions:
            good = (one.pairs.users + one.pairs.items) % 2 == 0
            labels = np.where(good, HIGH, LOW).astype(np.int8)
            pairs = rated(one.pairs, (labels, labels))
            said.append({"given": pairs, "composed": pairs})
        return said

    monkeypatch.setattr(local_rated, "ask", answer)
    monkeypatch.setattr(
        signals, "GROUPS", {name: signals.GROUPS[name] for name in ("learned", "neighbours")}
    )
    monkeypatch.setattr(detect, "_price", lambda *_: detect_report.Section("", "", ["", ""], []))
    text = detect.run(known, texts, tmp_path, asked=Asked(seeds=1, pairs=150))
    assert [len(one.pairs) for one in asked] == [150, 150, 150, 150]
    for one in asked:
        own = one.pairs.history == one.pairs.items[:, None]
        assert not own.any()  # neither view may show the pair's own item
    edges, missing = asked[0], asked[-1]
    assert (np.diff(edges.pairs.scores) >= 0).all()
    assert edges.truth.mean() > 0.4
    hidden = known.split.train.contains(users=missing.pairs.users, items=missing.pairs.items)
    assert hidden.tolist() == missing.truth.tolist()
    assert "both views and plausibility [composed]" in text


def test_caught_counts_the_lowest_of_each_user(known: Corpus) -> None:
    train, fake = planting(known.split, "uniform", 1)
    scores = {"truth": 1.0 - fake, "lie": fake * 1.0}
    planted = Planted(kind="uniform", seed=1, train=train, fake=fake, scores=scores)
    right, wrong = caught(planted, "truth"), caught(planted, "lie")
    assert (right["auc"], right["precision"], wrong["auc"]) == (1.0, 1.0, 0.0)
    with_fake = len(np.unique(train.users[fake]))
    assert right["recall n2=1"] == pytest.approx(with_fake / fake.sum())
    assert right["precision n2=1"] == pytest.approx(with_fake / len(np.unique(train.users)))
