"""Who is served, what a verdict takes out of validation, where losses lie, why an item is there."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from services.recsys.data import Embeddings, Floats, Interactions, Ints, Split
from services.trainer import lists
from services.trainer.histograms import loss_histograms
from services.trainer.pipeline.evaluate import called_noise, judge

torch = pytest.importorskip("torch")
N = 30


def _edges(*pairs: tuple[int, int]) -> Interactions:
    users, items = zip(*pairs, strict=True)
    return Interactions.build(users=users, items=items, n_users=2, n_items=N)


def _ranking(*best: int) -> Floats:
    """Score every user's items so that `best` come first, then the rest by index."""
    order = [*best, *(i for i in range(N) if i not in best)]
    scores = np.empty(N, dtype=np.float32)
    scores[order] = -np.arange(N)
    return scores


def _model(*best: int) -> object:
    def score(users: Ints) -> Floats:
        return np.tile(_ranking(*best), (len(users), 1))

    return score


SPLIT = Split(train=_edges((0, 0), (1, 0)), val=_edges((0, 25), (1, 26)), test=_edges((0, 27)))
NOBODY = Interactions.build(users=[], items=[], n_users=2, n_items=N)


def test_validation_decides_and_the_test_set_does_not() -> None:
    models = {"raw": _model(27), "denoised": _model(25)}  # raw would win on test
    told = judge(SPLIT, models, without=NOBODY)  # type: ignore[arg-type]
    assert told["default_graph"] == "denoised"
    assert told["metrics"]["denoised"]["val"]["recall@20"] == 0.5  # user 0's, not user 1's
    assert told["metrics"]["raw"]["test"]["recall@5"] == 1.0
    assert told["metrics"]["popularity"]["test"]["recall@20"] == 0.0


def test_each_ranking_is_told_as_it_ends() -> None:
    told: list[tuple[int, int]] = []
    models = {"raw": _model(25), "denoised": _model(26)}
    judge(SPLIT, models, without=NOBODY, on_ranking=lambda *step: told.append(step))  # type: ignore[arg-type]
    assert told == [(done, 9) for done in range(1, 10)]


def test_a_tie_goes_to_the_raw_graph() -> None:
    models = {"raw": _model(25), "denoised": _model(26)}
    told = judge(SPLIT, models, without=NOBODY)  # type: ignore[arg-type]
    assert told["default_graph"] == "raw"


def test_pairs_that_a_verdict_speaks_against_are_left_out_beside() -> None:
    verdicts = pl.DataFrame(
        {"user": [0, 1, 0], "item": [25, 26, 0], "verdict": ["clean", "hard", "noise"]}
    )
    without = called_noise(SPLIT.val, verdicts)
    assert (without.users.tolist(), without.items.tolist()) == ([0], [25])
    told = judge(SPLIT, {"raw": _model(26), "denoised": _model(25)}, without=without)  # type: ignore[dict-item]
    assert told["metrics"]["raw"]["val"]["recall@5"] == 0.5
    beside = told["val_without_noise"]
    assert beside["removed"] == 1
    assert beside["metrics"]["raw"]["recall@5"] == 1.0


def test_a_person_who_calls_a_log_pair_clean_does_not_speak_against_it() -> None:
    verdicts = pl.DataFrame(
        {
            "user": [0, 1],
            "item": [25, 26],
            "verdict": ["clean", "noise"],
            "decided_by": ["person", "person"],
        }
    )
    without = called_noise(SPLIT.val, verdicts)
    assert (without.users.tolist(), without.items.tolist()) == ([1], [26])
    by_llm = verdicts.with_columns(decided_by=pl.lit("llm"))
    assert len(called_noise(SPLIT.val, by_llm)) == 2


def test_losses_are_counted_by_verdict(tmp_path: Path) -> None:
    train = _edges((0, 0), (0, 1), (0, 2), (1, 0), (1, 1))
    nan = np.nan  # the last edge was never trained on
    losses = np.array([[0.0, 1, 2, 0, nan], [0, 3, 2, 4, nan]], dtype=np.float16)
    save_file({"losses": losses}, tmp_path / "history.safetensors")
    verdicts = pl.DataFrame(
        {
            "user": [0, 0, 1],
            "item": [1, 2, 9],
            "edge": [True, True, False],
            "verdict": ["noise", "hard", "clean"],
        }
    )
    told = loss_histograms(tmp_path / "history.safetensors", train, verdicts)
    assert len(told["bins"]) == 21
    assert told["bins"][-1] == pytest.approx(2.0)  # means: 0, 2, 2, 2
    assert (told["noise"][-1], told["hard"][-1], told["unsure"]) == (1, 1, [0] * 20)
    assert (told["clean"][0], told["clean"][-1], sum(told["clean"])) == (1, 1, 2)


def test_a_list_leaves_out_what_is_seen_and_says_why_the_rest_is_there() -> None:
    items = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    users = torch.tensor([[1.0, 0.5], [0.0, 1.0]])
    seen = Interactions.build(users=[0, 0], items=[0, 2], n_users=2, n_items=4)
    rows = lists.rows(
        Embeddings(users, items),
        seen,
        user_ids=["u", "v"],
        item_ids=["a", "b", "c", "d"],
        length=3,
    )
    (first, u), (second, v) = rows
    assert (first, second) == ("u", "v")
    assert [entry[0] for entry in u] == ["b", "d"]  # scores .95 and .55
    assert [entry[1] for entry in u] == pytest.approx([0.95, 0.55])
    reasons: list[object] = [entry[2] for entry in u]
    assert reasons == [
        [{"code": "BECAUSE_YOU_LIKED", "item_id": "a"}],
        [{"code": "BECAUSE_YOU_LIKED", "item_id": "c"}],
    ]
    assert [entry[0] for entry in v] == ["c", "d", "b"]
    assert all(entry[2] == () for entry in v)  # who likes nothing gets no reason


def test_the_popular_list_is_ordered_by_people() -> None:
    seen = _edges((0, 4), (1, 4), (0, 7))
    best = lists.popular(seen, item_ids=[f"i{n}" for n in range(N)], length=3)
    assert best == [("i4", 1.0, ()), ("i7", 0.5, ()), ("i0", 0.0, ())]
