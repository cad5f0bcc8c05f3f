"""The papers' tables on two tastes: resumed, kept apart by protocol, averaged, cut."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from services.recsys.closed_forms import Popularity
from services.recsys.data import Embeddings
from services.recsys.evaluate import evaluate
from services.recsys.methods.bpr import Config
from services.recsys.verdicts import LOW, RatedPairs
from services.shared.errors import InvalidError
from services.trainer.bench import (
    blend_rows,
    corpus,
    denoiser_rows,
    published,
    raw_rows,
    sensitivity,
    summary,
    table1,
    table2,
    table_files,
    table_inputs,
    tables,
)
from services.trainer.bench.cells import Cell
from services.trainer.bench.denoiser_rows import Texts
from services.trainer.bench.replay import Replay
from services.trainer.bench.rows import Figures, Made, Row, Work
from services.trainer.bench.schedule import Clock, CutShortError
from services.trainer.bench.table_inputs import Inputs, Options
from services.trainer.bench.tables import BOTH, TRAIN, VALIDATION, Table
from tests.trainer_bench.folder import ITEMS, USERS


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Texts:
    rng = np.random.default_rng(4)

    def lean(count: int) -> torch.Tensor:
        sides = np.eye(8)[np.arange(count) % 2] + 0.1 * rng.normal(size=(count, 8))
        return torch.from_numpy(sides).float()

    vectors = Embeddings(lean(USERS), lean(ITEMS))
    return Texts(vectors=vectors, folder=tmp_path_factory.mktemp("aligned"))


def _fill(folder: Path, out: Path, some: Sequence[Row], **how: Any) -> Table:  # noqa: ANN401 - any of fill's
    given = {"seeds": 1, "clock": Clock(None), **how}
    return tables.fill(some, published.read(folder), out=out, **given)


def _counting(made: list[Work]) -> Row:
    """A row that remembers how it was asked for; popularity behind it."""

    def make(work: Work) -> Made:
        made.append(work)
        model = Popularity().fit(work.graph)
        best: Figures = {"validation": 0.5, "best_epoch": 3 + work.seed, "epochs": 8}
        return Made(score_block=model.score_block, figures=best if work.frozen is None else {})

    return Row(name="counted", plan={"method": "counted"}, make=make)


def test_a_finished_table_is_not_computed_again(folder: Path, tmp_path: Path) -> None:
    made: list[Work] = []
    for _ in range(2):
        table = _fill(folder, tmp_path, [_counting(made)], seeds=2)
    assert len(made) == 4
    assert [len(table.found(table.rows[0], name)) for name in (TRAIN, BOTH)] == [2, 2]


def test_no_row_sees_test_and_train_and_val_repeats_what_train_chose(
    folder: Path, tmp_path: Path
) -> None:
    made: list[Work] = []
    split = published.read(folder)
    _fill(folder, tmp_path, [_counting(made)], seeds=2)
    by_frozen = {work.frozen is None: work for work in made if work.seed == 1}
    first, second = by_frozen[True], by_frozen[False]
    assert [len(part) for part in (first.split.train, first.split.val, first.split.test)] == [
        len(split.train),
        len(split.val),
        0,
    ]
    both = len(split.train) + len(split.val)
    parts = [len(part) for part in (second.split.train, second.split.val, second.split.test)]
    assert parts == [both, 0, 0]
    assert second.frozen is not None
    assert second.frozen["best_epoch"] == 4  # of its own seed


def test_the_protocols_hide_what_they_trained_on_and_stand_in_two_tables(
    folder: Path, tmp_path: Path, texts: Texts
) -> None:
    split = published.read(folder)
    table = _fill(folder, tmp_path, [_counting([])])
    both = split.train.union(split.val)
    for name, fit in ((TRAIN, split.train), (BOTH, both)):
        expected = evaluate(Popularity().fit(fit).score_block, split.test, mask=fit).means()
        figures = table.found(table.rows[0], name)[0].figures
        assert {metric: figures[metric] for metric in tables.METRICS} == pytest.approx(expected)
    inputs = Inputs(corpus=corpus.read(folder), texts=texts, ratings=(), clock=Clock(None))
    text = table1.write(table, inputs, "here", tmp_path)
    first, second = text.split("Trained on train and val; both hidden")
    assert "Trained on train; train items hidden" in first
    assert first.count("| counted |") == second.count("| counted |") == 1
    with (tmp_path / "table1.csv").open(encoding="utf-8") as file:
        found = [row for row in csv.DictReader(file) if row["figure"] == "recall@20"]
    assert [row["protocol"] for row in found] == [TRAIN, BOTH]


def test_mean_and_deviation_over_seeds_are_the_ones_done_by_hand() -> None:
    told = summary.spread([0.1, 0.2, 0.6])
    # mean .3; squares .04 + .01 + .09 = .14; .14 / 2 = .07; its root .264575
    assert (told.mean, told.std) == (pytest.approx(0.3), pytest.approx(0.264575, abs=1e-6))
    assert table_files.number(told) == "0.3000 ± 0.2646"
    assert table_files.number(summary.spread([0.25])) == "0.2500"
    assert table_files.number(None) == "not run"


def test_the_paired_test_is_the_one_done_by_hand() -> None:
    # differences 1, 2, 3: mean 2, standard error 1/sqrt(3), t = 2 sqrt(3) on 2 degrees of freedom
    p = summary.paired_t(np.array([2.0, 4.0, 6.0]), np.array([1.0, 2.0, 3.0]))
    assert p == pytest.approx(0.0741799, abs=1e-6)
    assert summary.paired_t(np.ones(3), np.ones(3)) == 1.0


def test_a_row_is_compared_with_the_best_of_the_others(folder: Path, tmp_path: Path) -> None:
    users = {"a": np.array([0.5, 0.5]), "b": np.array([0.2, 0.4]), "c": np.array([0.1, 0.1])}
    assert [summary.gap_to_best(name, users).other for name in users] == ["b", "a", "a"]  # type: ignore[union-attr] # all have others
    assert summary.gap_to_best("gone", users) is None


def test_rows_of_unlike_many_seeds_are_compared_by_the_seeds_they_share() -> None:
    rng = np.random.default_rng(4)
    ours, theirs = (
        {seed: Cell(figures={}, per_user={"recall@20": rng.random(9)}) for seed in seeds}
        for seeds in ((0, 2), (0, 1, 2, 3))
    )
    found = summary.gap_by_seed(ours, theirs, other="theirs")
    assert found is not None
    paired = [
        ours[seed].per_user["recall@20"].mean() - theirs[seed].per_user["recall@20"].mean()
        for seed in (0, 2)
    ]
    assert found.interval.difference == pytest.approx(sum(paired) / 2)
    assert summary.gap_by_seed({5: ours[0]}, theirs, other="theirs") is None


def test_a_budget_leaves_cells_open_and_no_number_stands_in_for_them(
    folder: Path, tmp_path: Path, texts: Texts
) -> None:
    table = _fill(folder, tmp_path, [_counting([])], clock=Clock(0.0))
    assert len(table.left) == 2
    inputs = Inputs(corpus=corpus.read(folder), texts=texts, ratings=(), clock=Clock(None))
    text = table1.write(table, inputs, "rlmrec_amazon_books", tmp_path)
    assert "- not run: 2 cells (counted, train; counted, train+val)" in text
    line = next(line for line in text.splitlines() if line.startswith("| counted |"))
    assert line.count("not run") == len(tables.METRICS)
    assert "| LLaRD | not built here |" in text
    assert text.count("0.2040/0.1369") == 1
    assert ",not run,\n" in (tmp_path / "table1.csv").read_text(encoding="utf-8").replace("\r", "")


def test_a_training_that_was_cut_short_goes_on_and_ends_the_same(
    folder: Path, tmp_path: Path
) -> None:
    config = replace(Config(d=8, B=64, n_shared=16), epochs=3)
    one = raw_rows.raw_row("lightgcn", "softmax", config)
    split = published.read(folder)
    looks = iter([False] * 30 + [True] * 1000)  # 14 batches an epoch: cut in the third

    def order(name: str, stop: Any) -> tables.Order:  # noqa: ANN401 - a callable
        return tables.Order(0, tmp_path / name, stop, None)

    with pytest.raises(CutShortError):
        tables.judged(one, split, TRAIN, order("cut", lambda: next(looks)))
    resumed = tables.judged(one, split, TRAIN, order("cut", lambda: False))
    whole = tables.judged(one, split, TRAIN, order("whole", lambda: False))
    timed = ("seconds", "epoch_seconds")
    kept = [{k: v for k, v in c.figures.items() if k not in timed} for c in (resumed, whole)]
    assert kept[0] == kept[1]
    assert kept[0]["epochs"] == 3


def test_frozen_epochs_are_trained_without_choosing(folder: Path, tmp_path: Path) -> None:
    one = raw_rows.raw_row("mf", "BPR", Config(d=8, B=64, loss="bpr", epochs=9))
    told: Figures = {"best_epoch": 2, "epochs": 5, "validation": 0.5, "graph": "raw"}
    order = tables.Order(0, tmp_path, lambda: False, told)
    cell = tables.judged(one, published.read(folder), BOTH, order)
    assert [cell.figures[name] for name in ("best_epoch", "epochs")] == [2, 5]
    assert len(list(tmp_path.glob("history-*"))) == 2


def test_every_backbone_has_its_three_losses_and_both_presets(texts: Texts) -> None:
    said = _said([0], [1], LOW)
    names = [row.name for row in [*raw_rows.raw_rows(), *denoiser_rows.llmhni_rows(texts, [said])]]
    assert len(names) == len(set(names))
    for backbone in ("LightGCN", "MF", "NGCF"):
        assert {f"{backbone}, {loss}" for loss in ("BPR", "DNS", "sampled softmax")} <= set(names)
        for preset in ("default", "printed"):
            plain = f"LLMHNI {preset}, {backbone}"
            assert {plain, f"{plain}, ratings said"} <= set(names)


def test_a_cap_on_epochs_makes_no_training_longer(texts: Texts) -> None:
    for epochs in (2, 1_000):
        rows = [*raw_rows.raw_rows(epochs=epochs), *denoiser_rows.llmhni_rows(texts, [])]
        assert {row.plan["epochs"] for row in rows[:9]} == {min(epochs, raw_rows.EPOCHS)}


def test_replayed_ratings_reach_the_graph_that_is_trained_on(
    folder: Path, tmp_path: Path, texts: Texts
) -> None:
    train = published.read(folder).train
    said = _said(train.users[::40], train.items[::40], LOW)
    one = denoiser_rows.row(texts, "default", config=_small("default"), said=said)
    cell = tables.judged(
        one, published.read(folder), TRAIN, tables.Order(0, tmp_path, lambda: False, None)
    )
    assert (cell.figures["dropped"], cell.figures["added"]) == (len(said.pairs.users), 0)
    plain = denoiser_rows.row(texts, "default", config=_small("default"))
    assert plain.plan["ratings"] is None
    assert plain.plan != one.plan


def test_a_file_s_rows_may_be_called_anew_and_their_cells_are_still_found(
    folder: Path, tmp_path: Path, texts: Texts
) -> None:
    said = _said([0], [1], LOW)
    anew = replace(said, name="gold")
    split = published.read(folder)
    known = blend_rows.Known(words=csr_matrix((ITEMS, 3)), vectors=texts.vectors, composed=False)
    for of in (
        lambda one: denoiser_rows.llmhni_rows(texts, [one]),
        lambda one: blend_rows.rows(known, [one]),
    ):
        before, after = of(said), of(anew)
        assert [row.name.replace("ratings gold", "ratings said") for row in after] == [
            row.name for row in before
        ]
        assert any("ratings gold" in row.name for row in after)
        for one, other in zip(before, after, strict=True):
            plans = [tables.plan(split, row, TRAIN, 0) for row in (one, other)]
            assert plans[0] == plans[1]
            assert plans[0]["row"] == one.name


def test_the_tables_of_two_splits_take_turns_row_by_row(folder: Path, tmp_path: Path) -> None:
    made: list[tuple[str, int]] = []

    def row(name: str) -> Row:
        def make(work: Work) -> Made:
            made.append((name, len(work.graph)))
            return Made(score_block=Popularity().fit(work.graph).score_block, figures={})

        return Row(name=name, plan={"method": name}, make=make)

    split = published.read(folder)
    less = replace(split, train=split.train.where(np.arange(len(split.train)) > 0))
    rows, sizes = [row("one"), row("other")], (len(split.train), len(less.train))
    columns = {"whole": (rows, split), "less": (rows, less)}
    given: dict[str, Any] = {"out": tmp_path, "seeds": 1, "clock": Clock(None), "reads": (TRAIN,)}
    first, second = tables.fill_all(columns, **given)
    assert made == [(name, size) for name in ("one", "other") for size in sizes]
    assert first.found(rows[0], TRAIN)[0].figures != second.found(rows[0], TRAIN)[0].figures


def test_two_files_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    line = json.dumps({"user_id": 1, "item_id": 2, "user_view": "Low", "item_view": None})
    files = [tmp_path / side / "said.jsonl" for side in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text(line)
    with pytest.raises(InvalidError, match="Two files of ratings are named said"):
        table_inputs.read(
            Options(data=folder, out=tmp_path, seeds=1, ratings=[str(file) for file in files])
        )


def test_local_ratings_are_kept_by_data_and_by_whose_texts_users_have(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    def say(known: corpus.Corpus, _: Path, __: Path, path: Path, **___: object) -> None:
        shown.append(known.users[0])
        line = {"user_id": 1, "item_id": 2, "user_view": "Low", "item_view": None}
        path.write_text(json.dumps(line))

    def vectors(known: corpus.Corpus, _: Path) -> Embeddings:
        return Embeddings(torch.zeros(len(known.users), 8), torch.zeros(len(known.items), 8))

    monkeypatch.setattr(table_inputs.rate, "rate", say)
    monkeypatch.setattr(table_inputs.corpus, "vectors", vectors)
    (tmp_path / "local.jsonl").write_text("of nobody knows what")
    names = [
        table_inputs.read(
            Options(data=folder, out=tmp_path, seeds=1, ratings=["local"], users=users)
        )
        .ratings[0]
        .name
        for users in ("given", "composed", "given")
    ]
    assert names == [f"local-{folder.name}-{users}" for users in ("given", "composed", "given")]
    assert len(shown) == 2  # each once
    assert shown[0] == "taste 0"
    assert shown[1].count("taste 0") > 1  # made of items


def test_the_ablations_switch_one_part_off_and_share_the_whole_with_table_1(texts: Texts) -> None:
    default, paper = table2.rows(texts, [])
    assert [row.name for row in default][1:] == [
        f"LLMHNI default, LightGCN, {name}" for name in table2.WITHOUT if name
    ]
    for group in (default, paper):
        whole = group[0].plan
        for row, switched in zip(group, table2.WITHOUT.values(), strict=True):
            assert {name for name in whole if row.plan[name] != whole[name]} == set(switched)
    assert default[0].plan == denoiser_rows.llmhni_rows(texts, [])[0].plan


def test_both_readings_of_the_two_columns_are_printed(
    folder: Path, tmp_path: Path, texts: Texts
) -> None:
    fake = [_shifted(row, at) for at, row in enumerate(table2.rows(texts, [])[0])]
    table = _fill(folder, tmp_path, fake, reads=(TRAIN,))
    text = table2.write(table, [fake], [], tmp_path)
    *_, hal, de = (
        table_files.number(line.figures["recall@20"]) for line in summary.lines(table, TRAIN)
    )
    assert hal != de
    assert f"| LR_nie | without L_de: {de} | without L_hal: {hal} |" in text
    assert f"| LR_uis | without L_hal: {hal} | without L_de: {de} |" in text


def test_each_dial_moves_alone_and_the_presets_own_point_is_one_cell(texts: Texts) -> None:
    curves = sensitivity.points(texts, "default", None, epochs=2)
    names = {row.name for curve in curves.values() for row in curve.values()}
    assert len(names) == 4 * 5 - 3
    whole = curves["lambda_1"][0.1].plan
    for dial, curve in curves.items():
        for value, row in curve.items():
            differs = {name for name in whole if row.plan[name] != whole[name]}
            assert differs <= {dial}
            assert row.plan[dial] == value
    assert whole["epochs"] == 2


def test_sensitivity_reads_no_test(
    folder: Path, tmp_path: Path, texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "evaluate", lambda *_, **__: pytest.fail("test was read"))
    curves = {
        dial: {value: _shifted(row, 1) for value, row in curve.items()}
        for dial, curve in sensitivity.points(texts, "default", None, epochs=2).items()
    }
    points = {row.name: row for curve in curves.values() for row in curve.values()}
    table = _fill(folder, tmp_path, list(points.values()), only=("tau_de",), reads=(VALIDATION,))
    text = sensitivity.write(table, curves, VALIDATION, [], tmp_path, preset="default")
    assert "test was not read" in text
    cells = {line.split(" | ")[0]: line for line in text.splitlines()}
    assert cells["| τ_de"].count("0.1000") == len(sensitivity.GRID) - 1
    assert cells["| λ2, of L_hal"].count("not run") == len(sensitivity.GRID)


def _small(preset: denoiser_rows.Preset) -> Any:  # noqa: ANN401 - a Config
    return replace(denoiser_rows.CONFIGS[preset], d=8, B=128, epochs=1, n_shared=16, K=3, M=5)


def _shifted(row: Row, at: int) -> Row:
    """The row without its training: one order of the items for everybody, a different one each."""
    order = -((np.arange(ITEMS) + 7.0 * at) % ITEMS)

    def make(work: Work) -> Made:
        assert not len(work.split.test)
        figures: Figures = {"validation": at / 10}
        return Made(score_block=lambda users: np.tile(order, (len(users), 1)), figures=figures)

    return replace(row, make=make)


def _said(users: Any, items: Any, label: int) -> Replay:  # noqa: ANN401 - arrays
    labels = np.full(len(users), label, dtype=np.int8)
    pairs = RatedPairs(
        users=np.asarray(users),
        items=np.asarray(items),
        user_view=labels,
        item_view=labels,
        scores=np.zeros(len(users)),
    )
    return Replay(name="said", stem="said", sha256="00", pairs=pairs, left_out=0)


def test_a_word_of_only_that_names_no_row_is_refused_with_the_names(
    folder: Path, tmp_path: Path, texts: Texts
) -> None:
    curves = sensitivity.points(texts, "default", None, epochs=2)
    rows = [row for curve in curves.values() for row in curve.values()]
    with pytest.raises(
        InvalidError, match=r"--only nosuchrow: no row's name holds it\. The rows: "
    ):
        _fill(folder, tmp_path, rows, only=("nosuchrow",), reads=(VALIDATION,))
