"""The default preset's bench on two tastes: its claims, both protocols, ratings, a second run."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from services.recsys.data import Embeddings
from services.recsys.parts import IALS
from services.recsys.verdicts import LOW, RatedPairs
from services.trainer.bench import corpus, default, tables
from services.trainer.bench.blend_rows import KNOWN, OURS, TEXT_FREE
from services.trainer.bench.denoiser_rows import Texts
from services.trainer.bench.replay import Replay
from services.trainer.bench.schedule import Clock
from services.trainer.bench.table_inputs import Inputs
from services.trainer.bench.tables import BOTH, TRAIN
from tests.trainer_bench.folder import ITEMS, USERS

ASKED = (OURS, TEXT_FREE, KNOWN, "EASE")


@pytest.fixture(scope="module")
def inputs(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    rng = np.random.default_rng(4)

    def lean(count: int) -> torch.Tensor:
        sides = np.eye(8)[np.arange(count) % 2] + 0.1 * rng.normal(size=(count, 8))
        return torch.from_numpy(sides).float()

    known = corpus.read(folder)
    edges = known.split.train
    low = np.full(3, LOW, dtype=np.int8)
    said = Replay(
        name="gold",
        stem="gold",
        sha256="0",
        pairs=RatedPairs(
            users=edges.users[:30:10],
            items=edges.items[:30:10],
            user_view=low,
            item_view=low,
            scores=np.zeros(3),
        ),
        left_out=0,
    )
    texts = Texts(vectors=Embeddings(lean(USERS), lean(ITEMS)), folder=tmp_path_factory.mktemp("a"))
    return Inputs(corpus=known, texts=texts, ratings=[said], clock=Clock(None))


@pytest.fixture(scope="module")
def done(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("default")
    return out, _run(inputs, out)


def _run(inputs: Inputs, out: Path) -> str:
    table = tables.fill(
        default.rows(inputs, composed=False, epochs=1),
        inputs.corpus.split,
        out=out,
        seeds=2,
        clock=Clock(None),
        only=ASKED,
    )
    return default.write(table, inputs, "two tastes", out)


def test_every_claim_stands_above_the_tables_of_both_protocols(done: tuple[Path, str]) -> None:
    text = done[1]
    absent = "ItemKNN, GF-CF, iALS did not run"
    assert f"- NOT MEASURED: never below the best text-free peer: {absent}" in text
    assert "CPU minutes" in text
    assert "- ratings gold " in text
    assert text.index("Trained on train;") < text.index("Trained on train and val;")
    for name in (OURS, f"{OURS}, ratings gold", TEXT_FREE, KNOWN):
        assert text.count(f"\n| {name} |") == 4  # two protocols, two tables each


def test_train_and_val_repeats_the_weights_that_train_chose(
    inputs: Inputs, done: tuple[Path, str]
) -> None:
    table = tables.fill([], inputs.corpus.split, out=done[0], seeds=2, clock=Clock(None))
    row = next(r for r in default.rows(inputs, composed=False, epochs=1) if r.name == OURS)
    for seed in range(2):
        first, second = (
            table.cells.find(tables.plan(inputs.corpus.split, row, name, seed))
            for name in (TRAIN, BOTH)
        )
        assert first is not None
        assert second is not None
        assert first.figures["setting"] == second.figures["setting"]
        assert json.loads(json.dumps(first.figures["choices"]))["epochs"] == 1


def test_a_second_run_computes_nothing_and_writes_the_same_bytes(
    inputs: Inputs, done: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out, text = done
    before = (out / "default.csv").read_bytes()
    capsys.readouterr()
    assert _run(inputs, out) == text
    assert (out / "default.csv").read_bytes() == before
    assert " s" not in capsys.readouterr().err


def test_the_best_peer_is_the_best_of_all_of_them() -> None:
    ours, few = np.full(50, 0.2), np.zeros(50, dtype=np.bool_)
    peers = {name: np.full(50, 0.1) for name in default.TEXT_FREE_PEERS}
    assert default._text_free(ours, peers, few)[0].startswith("- MET: never below the best of 5 ")
    peers["iALS"] = np.full(50, 0.3)
    assert default._text_free(ours, peers, few)[0].startswith("- MISSED: never below the best ")
    del peers["iALS"]
    assert default._text_free(ours, peers, few) == [
        "- NOT MEASURED: never below the best text-free peer: iALS did not run"
    ]


def test_the_target_is_met_by_the_mean_of_five_seeds_only() -> None:
    books = "rlmrec_amazon_books"
    for seeds, word in ((1, "MISSED"), (4, "MISSED"), (5, "MET")):
        first, stretch = default._beforehand(0.21, books, seeds=seeds)
        assert first.startswith(f"- {word}: R@20 0.2100, {seeds} of 5 seeds, is above 0.1969")
        assert stretch.startswith(f"- {word}: stretch: R@20 0.2100, {seeds} of 5 seeds, reaches")


def test_a_training_that_was_cut_off_starts_anew_so_that_its_seconds_are_all(
    inputs: Inputs, tmp_path: Path
) -> None:
    row = next(
        r for r in default.rows(inputs, composed=False, epochs=1) if r.name == f"part: {IALS}"
    )
    split = inputs.corpus.split
    (tmp_path / "left").mkdir()
    tables.judged(row, split, TRAIN, tables.Order(0, tmp_path / "left", lambda: False, None))
    assert not (tmp_path / "left").exists()
    assert not any(
        one.resumes for one in default.rows(inputs, composed=False) if "part" in one.name
    )


def test_a_preset_is_never_told_better_than_what_its_rows_say() -> None:
    assert default.claim("x", met=True) == "- MET: x"
    assert default.claim("x", met=False) == "- MISSED: x"
