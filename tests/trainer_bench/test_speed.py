"""The speed bench: the same numbers under every lever, timed in turn, told as MET or MISSED."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from services.recsys import loop
from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.data import Batch, Interactions
from services.recsys.methods.llmhni import LLMHNI, Config
from services.recsys.seeds import Seeds
from services.shared.errors import InvalidError
from services.trainer.bench import (
    corpus,
    levers,
    published,
    speed,
    speed_lightgcn,
    speed_llmhni,
    speed_quality,
    speed_recbole,
    speed_report,
)
from services.trainer.bench.cells import Cell, Cells
from services.trainer.bench.levers import Lever
from services.trainer.bench.levers import levers as all_levers
from services.trainer.bench.reference_lightgcn import Reference
from services.trainer.bench.stopwatch import Timed, in_turn, ratio
from tests.recsys.planted import random_graph, triples, vectors
from tests.spec import slow_graph
from tests.spec import slow_losses as slow


@pytest.fixture(scope="module")
def train(folder: Path) -> Interactions:
    return published.parts(folder)["train"]


def losses(lever: Lever, train: Interactions, *, steps: int = 6) -> list[float]:
    step = lever.make(train, speed_lightgcn.start(train))
    return [step(*some) for some in speed_lightgcn.batches(train, size=64, steps=steps)]


@pytest.mark.parametrize("lever", all_levers(), ids=lambda lever: lever.name)
def test_every_lever_trains_to_the_losses_of_the_usual_formulation(
    lever: Lever, train: Interactions
) -> None:
    usual = losses(all_levers()[0], train)
    assert len(set(usual)) == 6  # each step sees what the one before learned
    assert losses(lever, train) == pytest.approx(usual, abs=1e-6 if lever.exact else 1e-3)


def test_the_usual_formulations_loss_is_the_equation_done_by_hand() -> None:
    edges = random_graph(4)
    start = vectors(1, edges.n_users + edges.n_items, 3).float()
    model = Reference(edges, start, n_layers=3, lr=1e-3, lambda_reg=0.1)
    u, i, j = (0, int(edges.items[0]), 7)
    matrix = slow_graph.normalised(triples(edges), n_users=edges.n_users, n_items=edges.n_items)
    z = slow_graph.layer_mean(matrix, start.tolist(), n_layers=3)
    expected = slow.bpr(slow.dot(z[u], z[edges.n_users + i]), slow.dot(z[u], z[edges.n_users + j]))
    rows = start.tolist()
    squares = sum(slow.dot(rows[n], rows[n]) for n in (u, edges.n_users + i))
    found = model.step(*(torch.tensor([one]) for one in (u, i, j)))
    assert found == pytest.approx(expected + 0.1 * squares / 2, abs=1e-5)


def test_vectors_written_out_by_hand_are_those_that_ship(train: Interactions) -> None:
    start = speed_lightgcn.start(train)
    own = levers.ByHand(train, start)
    usual = Reference(train, start, n_layers=levers.LAYERS, lr=levers.LR, lambda_reg=levers.LAMBDA)
    for some in speed_lightgcn.batches(train, size=64, steps=3):
        own.step(*some)
        usual.step(*some)
    torch.testing.assert_close(own.embeddings().users, usual.computer()[0].detach())


def test_contestants_take_turns_and_the_first_changes() -> None:
    met: list[str] = []

    def contestant(name: str) -> float:
        met.append(name)
        return float(len(met))

    timed = in_turn({"a": lambda _: contestant("a"), "b": lambda _: contestant("b")}, rounds=3)
    assert met == ["a", "b", "b", "a", "a", "b"]
    assert timed["b"].values.tolist() == [2.0, 3.0, 6.0]


def test_a_ratio_is_the_median_over_rounds() -> None:
    def timed(*seconds: float) -> Timed:
        return Timed(seconds=np.array(seconds), values=np.zeros(len(seconds)))

    assert ratio(timed(6.0, 9.0, 80.0), timed(2.0, 2.0, 8.0)) == 4.5


def test_the_command_prints_every_table_and_reads_its_cells_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--data", str(folder), "--out", str(tmp_path), "--steps", "3", "--cycles", "1"]
    first = CliRunner().invoke(speed.command, [*words, "--no-recbole"])
    assert first.exit_code == 0, first.output
    for claim in ("5 times faster", "within 1e-4", "at most 4 times", "at most 2.5", "under 15 s"):
        assert claim in first.stdout
    assert "MET: the losses of 3 steps within 1e-4" in first.stdout
    assert "NOT MEASURED: RecBole. RecBole was not asked for." in first.stdout
    for lever in all_levers():
        assert f"| {lever.name} |" in first.stdout
    assert (tmp_path / f"speed-{folder.name}.md").read_text() in first.stdout
    header, *rows = (tmp_path / f"speed-{folder.name}.csv").read_text().splitlines()
    assert header == "section,row,figure,value"
    assert len(rows) > 40
    monkeypatch.setattr(speed_lightgcn, "measure", lambda *_, **__: pytest.fail("measured twice"))
    assert CliRunner().invoke(speed.command, [*words, "--no-recbole"]).stdout == first.stdout


def test_a_peer_that_cannot_be_installed_is_told_in_a_sentence_and_tried_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed_lightgcn, "measure", lambda *_, **__: Cell(figures={}))
    monkeypatch.setattr(speed_lightgcn, "larger", lambda _: Cell(figures={}))
    monkeypatch.setattr(speed_llmhni, "measure", lambda *_, **__: Cell(figures={}))
    parts = published.parts(folder)

    def measured() -> dict[str, object]:
        found = speed.measure("two", parts, tmp_path, steps=2, cycles=1, recbole=True)
        return dict(found["recbole"])

    with monkeypatch.context() as offline:
        offline.setattr(speed_recbole, "_fails", lambda _: True)
        first = measured()
    assert set(first) == {"absent"}
    assert str(first["absent"]).endswith((".", "?"))
    monkeypatch.setattr(speed_recbole, "measure", lambda *_, **__: Cell(figures={"ms a step": 2.0}))
    assert measured() == {"ms a step": 2.0}


def test_the_peer_runs_in_a_folder_that_was_told_from_here(
    train: Interactions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out" / "recbole"
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    # stands for the environment's Python: both files must be found from the child's folder
    python.write_text(
        f'#!/bin/sh\ntest -f "$1" -a -f "$2" && test "$3" = {folder}/data && echo [2]'
    )
    python.chmod(0o755)
    (folder / "ready").touch()
    monkeypatch.chdir(tmp_path)
    found = speed_recbole.measure(train, Path("out"), size=len(train), steps=2).figures
    assert found == {"ms a step": 2000.0, "s an epoch": 2.0}


def test_another_graph_of_the_same_size_is_measured_anew(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Interactions] = []

    def look(train: Interactions, **_: int) -> Cell:
        seen.append(train)
        return Cell(figures={})

    monkeypatch.setattr(speed_lightgcn, "measure", look)
    monkeypatch.setattr(speed_lightgcn, "larger", lambda _: Cell(figures={}))
    monkeypatch.setattr(speed_llmhni, "measure", lambda *_, **__: Cell(figures={}))
    parts = published.parts(folder)
    graph = parts["train"]
    sizes = {"n_users": graph.n_users, "n_items": graph.n_items}
    other = Interactions.build(users=graph.users, items=graph.n_items - 1 - graph.items, **sizes)
    for train in (graph, other, graph):
        given = {**parts, "train": train}
        speed.measure("two", given, tmp_path, steps=2, cycles=1, recbole=False)
    assert seen == [graph, other]


def test_variants_are_told_which_batch_it_is(
    train: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    contrasted: list[int] = []

    def look(method: LLMHNI, batch: Batch) -> torch.Tensor:
        contrasted.append(method.step)
        return batch.weights.new_zeros((), requires_grad=True)

    rare = {"hal": True, "de": False, "every": 4, "B": 64}
    monkeypatch.setattr(LLMHNI, "_hal", look)
    monkeypatch.setattr(speed_llmhni, "VARIANTS", {speed_llmhni.RARE: rare})
    monkeypatch.setattr(Config, "default", lambda: Config(de=False, hal=False, B=64))
    speed_llmhni.measure(train, cycles=2)
    assert contrasted == [0, 4]


def test_an_epoch_is_reckoned_by_each_variants_own_batches(
    train: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = speed_llmhni.signals(train, d=levers.D)
    third = replace(given, refined=train.where(np.arange(len(train)) % 3 == 0))
    monkeypatch.setattr(speed_llmhni, "signals", lambda *_, **__: third)
    small = {"B": 32, "positives": "edges"}
    varied = {speed_llmhni.PRINTED: {}, speed_llmhni.CHEAP: small}
    monkeypatch.setattr(speed_llmhni, "VARIANTS", varied)
    own = Config(B=32, positives="refined")
    monkeypatch.setattr(Config, "default", lambda: own)
    rows: Any = speed_llmhni.measure(train, cycles=1).figures["rows"]

    def batches(name: str) -> int:
        recipe = speed_llmhni.recipes()[name]
        method = LLMHNI(recipe, LightGCN, train, third, seeds=Seeds(0), device=levers.CPU)
        return len(list(loop.shuffled(method, recipe.B, Seeds(0).torch("batches"))))

    for name in (speed_llmhni.CHEAP, speed_llmhni.DEFAULT, speed_llmhni.PRINTED):
        row = rows[name]
        assert row["s an epoch"] == pytest.approx(batches(name) * row["ms a step"] / 1000)
    assert batches(speed_llmhni.CHEAP) > 2 * batches(speed_llmhni.DEFAULT) > 2
    assert rows[speed_llmhni.CHEAP]["batch"] == 32


def test_a_row_of_quality_is_read_again_until_its_recipe_changes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, trained = corpus.read(folder), list[object]()
    given = speed_llmhni.signals(known.split.train, d=levers.D)
    monkeypatch.setattr(speed_quality, "_signals", lambda *_: given)
    monkeypatch.setattr(speed_quality, "EPOCHS", 1)
    monkeypatch.setattr(speed_quality, "EPOCHS_LLMHNI", 1)
    fit = loop.fit
    monkeypatch.setattr(loop, "fit", lambda *a, **k: trained.append(k["lr"]) or fit(*a, **k))

    def read() -> dict[str, Any]:
        trained.clear()
        return speed_quality.measure("two", known, tmp_path, Cells(tmp_path / "cells"))

    first = read()
    assert len(first) == speed_quality.ROWS == len(trained) + 1  # bf16 LightGCN has its own loop
    assert set(speed_quality.PRICED) <= speed_llmhni.recipes().keys()  # the timed ones
    assert read() == first
    assert trained == []
    other = {**speed_llmhni.VARIANTS[speed_llmhni.CHEAP], "lr": 7e-3}
    monkeypatch.setitem(speed_llmhni.VARIANTS, speed_llmhni.CHEAP, other)
    read()
    assert trained == [7e-3]


def test_quality_of_a_folder_without_texts_is_refused_before_anything_is_measured(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "interactions.parquet").write_bytes((folder / "interactions.parquet").read_bytes())
    monkeypatch.setattr(speed, "measure", lambda *_, **__: pytest.fail("measured in vain"))
    words = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--quality"]
    done = CliRunner().invoke(speed.command, words)
    assert isinstance(done.exception, InvalidError)
    assert done.exception.detail.startswith("--quality needs rows of val, and texts. ")


@pytest.fixture
def figures() -> dict[str, Any]:
    rows = {
        lever.name: {"times the usual": 6.0, "ms a step": 2.0, "loss apart": 0.0, "exact": True}
        for lever in all_levers()
    }
    priced = {
        speed_llmhni.PRINTED: {"times our LightGCN": 4.5},
        speed_llmhni.HALVED: {"times our LightGCN": 3.9},
        speed_llmhni.CHEAP: {"times our LightGCN": 2.4},
        speed_llmhni.OTHER: {"times our LightGCN": 2.2},
    }
    return {
        "lightgcn": {"rows": rows, "steps": 50},
        "recbole": {"ms a step": 7.0},
        "llmhni": {"rows": priced},
        "ranking": {"users": 10, "items": 20, "s": 3.0},
        "quality": {
            speed_llmhni.PRINTED: {"recall@20": 0.17},
            speed_llmhni.CHEAP: {"recall@20": 0.168},
            speed_llmhni.OTHER: {"recall@20": 0.19},
        },
    }


def test_claims_are_met_or_missed_by_their_figures(figures: dict[str, Any]) -> None:
    verdicts = [claim.split(":")[0] for claim in speed_report.claims(figures)]
    # 5 times, losses, RecBole 3.5, printed, in bf16, two cheap ones with their quality, ranking
    assert verdicts == ["MET", "MET", "MISSED", "MISSED", "MET", "MET", "MET", "MET"]


@pytest.mark.parametrize(
    ("times", "recall", "verdict"),
    [(2.4, 0.168, "MET"), (2.6, 0.168, "MISSED"), (2.4, 0.166, "MISSED"), (2.4, None, None)],
)
def test_the_cheap_variant_is_judged_by_time_and_quality_together(
    figures: dict[str, Any], times: float, recall: float | None, verdict: str | None
) -> None:
    figures["llmhni"]["rows"][speed_llmhni.CHEAP]["times our LightGCN"] = times
    if recall is None:
        del figures["quality"]
    else:
        figures["quality"][speed_llmhni.CHEAP]["recall@20"] = recall
    line = next(one for one in speed_report.claims(figures) if speed_llmhni.CHEAP in one)
    assert line.split(":")[0] == (verdict or "NOT MEASURED")
    assert f"at most 2.5 times our LightGCN at batch 1,024 ({times:.2f})" in line


def test_a_loss_that_is_no_number_is_not_within_anything(figures: dict[str, Any]) -> None:
    exact = [row for row in figures["lightgcn"]["rows"].values() if row["exact"]]
    exact[-1]["loss apart"] = float("nan")
    lines = [line for line in speed_report.claims(figures) if "the losses of" in line]
    assert lines == ["MISSED: the losses of 50 steps within 1e-4 (nan)"]
