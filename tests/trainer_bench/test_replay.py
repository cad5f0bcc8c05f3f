"""Ratings from a file: every fault by its line, and the way into the refined graph."""

import json
from pathlib import Path

import numpy as np
import pytest

from services.recsys.candidates import Candidates
from services.recsys.data import Interactions
from services.recsys.refine import RefineConfig, refine
from services.recsys.verdicts import HIGH, LOW, MID, MISSING
from services.shared.errors import InvalidError
from services.trainer.bench import replay
from services.trainer.bench.replay_lines import called

USERS, ITEMS = ["ann", "bob"], [10, 20, 30]
GOOD = {"user_id": "ann", "item_id": 20, "user_view": "Low", "item_view": "Mid"}


def _file(tmp_path: Path, *lines: object) -> Path:
    path = tmp_path / "said.jsonl"
    path.write_text(
        "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    )
    return path


def _refused(tmp_path: Path, *lines: object) -> str:
    with pytest.raises(InvalidError) as error:
        replay.read(_file(tmp_path, *lines), users=USERS, items=ITEMS)
    return error.value.detail.replace(str(tmp_path / "said.jsonl"), "FILE")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    pairs = Candidates(
        users=np.array([1, 0]),
        items=np.array([2, 0]),
        is_edge=np.array([True, False]),
        scores=np.array([0.25, 0.5]),
        history=np.array([[0, -1], [1, 2]]),
    )
    views = np.array([LOW, HIGH], dtype=np.int8), np.array([MISSING, MID], dtype=np.int8)
    replay.write(tmp_path / "a" / "own.jsonl", pairs, views, users=USERS, items=ITEMS)
    found = replay.read(tmp_path / "a" / "own.jsonl", users=USERS, items=ITEMS)
    assert (found.name, found.left_out) == ("own", 0)
    assert found.pairs.users.tolist() == [1, 0]
    assert found.pairs.items.tolist() == [2, 0]
    assert found.pairs.user_view.tolist() == [LOW, HIGH]
    assert found.pairs.item_view.tolist() == [MISSING, MID]
    assert found.pairs.scores.tolist() == [0.25, 0.5]


def test_ratings_are_called_by_their_file_and_a_file_called_ratings_by_its_folder(
    tmp_path: Path,
) -> None:
    for place, name in (("gold/ratings.jsonl", "gold"), ("gold/local.jsonl", "local")):
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(GOOD))
        found = replay.read(path, users=USERS, items=ITEMS)
        assert (found.name, found.stem) == (name, path.stem)


def test_a_file_called_ratings_is_called_by_its_folder_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gold").mkdir()
    monkeypatch.chdir(tmp_path / "gold")
    assert called(Path("ratings.jsonl")) == called(Path("../gold/ratings.jsonl")) == "gold"
    assert called(Path("/ratings.jsonl")) == "ratings"


def test_each_fault_is_told_with_its_line(tmp_path: Path) -> None:
    assert _refused(tmp_path, GOOD, "{") == (
        "FILE, line 2: no JSON (Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1))."
    )
    assert _refused(tmp_path, [1]) == "FILE, line 1: an object is wanted, this is [1]."
    assert _refused(tmp_path, "", {"user_id": "ann", "item_id": 10}) == (
        "FILE, line 2: user_view, item_view is missing."
    )
    assert _refused(tmp_path, {**GOOD, "user_id": "eve"}) == (
        'FILE, line 1: user_id "eve" is not in the dataset.'
    )
    assert _refused(tmp_path, {**GOOD, "item_id": [20]}) == (
        "FILE, line 1: item_id [20] is not in the dataset."
    )
    assert _refused(tmp_path, {**GOOD, "item_view": "high"}) == (
        'FILE, line 1: item_view "high" is none of Low, Mid, High, null.'
    )
    assert _refused(tmp_path, {**GOOD, "score": "1"}) == (
        'FILE, line 1: score "1" is no finite number.'
    )
    assert _refused(tmp_path, GOOD, {**GOOD, "item_id": 10, "score": 10**400}) == (
        f"FILE, line 2: score 1{39 * '0'} is no finite number."
    )
    assert _refused(tmp_path, {**GOOD, "kind": ["real"]}) == (
        'FILE, line 1: kind ["real"] is no word.'
    )
    assert _refused(tmp_path, GOOD, "", GOOD) == (
        "FILE, line 3: the pair of line 1 stands there again."
    )
    assert _refused(tmp_path, "") == "FILE has no rating that could be used."


def test_true_is_nobody_s_id(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="line 1: user_id true is not in the dataset"):
        replay.read(_file(tmp_path, {**GOOD, "user_id": True}), users=[0, 1], items=ITEMS)


def test_a_reason_may_hold_any_sign_that_json_lets_stand(tmp_path: Path) -> None:
    line = json.dumps({**GOOD, "user_reason": "so\u2028and\u0085so"}, ensure_ascii=False)
    found = replay.read(_file(tmp_path, line + "\r"), users=USERS, items=ITEMS)
    assert found.pairs.items.tolist() == [1]


def test_no_file_and_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"gone\.jsonl is no file"):
        replay.read(tmp_path / "gone.jsonl", users=USERS, items=ITEMS)
    path = tmp_path / "bytes.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b"\n\xff\n")
    with pytest.raises(InvalidError, match="line 2: not UTF-8"):
        replay.read(path, users=USERS, items=ITEMS)


def test_pairs_that_were_picked_because_they_are_held_out_are_not_replayed(tmp_path: Path) -> None:
    looked = {**GOOD, "item_id": 30, "kind": "heldout_positive"}
    found = replay.read(_file(tmp_path, GOOD, looked), users=USERS, items=ITEMS)
    assert (found.pairs.items.tolist(), found.left_out) == ([1], 1)


def test_replayed_ratings_change_the_graph(tmp_path: Path) -> None:
    train = Interactions.build(users=[0, 0, 1], items=[0, 1, 0], n_users=2, n_items=3)
    wanted = {"user_id": "bob", "item_id": 30, "user_view": "High", "item_view": "High"}
    found = replay.read(_file(tmp_path, GOOD, wanted), users=USERS, items=ITEMS)
    refined = refine(train, found.pairs, config=RefineConfig(max_dropped=0.5)).interactions
    edges = {*zip(refined.users.tolist(), refined.items.tolist(), strict=True)}
    assert edges == {(0, 0), (1, 0), (1, 2)}
