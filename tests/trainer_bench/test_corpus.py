"""Splits with texts: order, gaps, and what a user's text is to the training graph alone."""

import gzip
import json
from pathlib import Path

import pytest
import torch

from services.recsys.data import Interactions
from services.shared.errors import InvalidError
from services.trainer.bench import corpus
from tests.trainer_bench.folder import ITEMS, USERS


def test_texts_come_in_the_order_of_the_ids(folder: Path) -> None:
    known = corpus.read(folder)
    assert known.users[:3] == ("taste 0", "taste 1", "taste 0")
    assert (len(known.users), len(known.items)) == (USERS, ITEMS)


def test_who_has_no_text_has_an_empty_one(folder: Path, tmp_path: Path) -> None:
    for name in ("interactions.parquet", "items.jsonl.gz"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with gzip.open(tmp_path / "users.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({"id": 1, "text": "only one"}))
    assert corpus.read(tmp_path).users == ("", "only one", *[""] * (USERS - 2))


def test_missing_texts_are_told_by_their_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "interactions.parquet").write_bytes((folder / "interactions.parquet").read_bytes())
    with pytest.raises(InvalidError, match=r"has no users\.jsonl\.gz"):
        corpus.read(tmp_path)


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"no gzip", ""),
        (gzip.compress(b'{"id": 1, "text": "a"}\n{'), ", line 2"),
        (gzip.compress(b'{"id": 1}'), ", line 1"),
        (gzip.compress(b"[1]"), ", line 1"),
    ],
    # packed bytes name the second they were packed in, and so would the tests
    ids=["no gzip", "a cut line", "no text", "no object"],
)
def test_texts_that_cannot_be_read_are_told_by_file_and_line(
    folder: Path, tmp_path: Path, raw: bytes, line: str
) -> None:
    (tmp_path / "interactions.parquet").write_bytes((folder / "interactions.parquet").read_bytes())
    path = tmp_path / "users.jsonl.gz"
    path.write_bytes(raw)
    with pytest.raises(InvalidError) as error:
        corpus.read(tmp_path)
    assert error.value.detail == f"{path}{line}: a JSON object a line with id and text."


def test_composed_texts_need_no_file_of_users(folder: Path, tmp_path: Path) -> None:
    for name in ("interactions.parquet", "items.jsonl.gz"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    found = corpus.read(tmp_path, composed=True)
    assert found.users == ("",) * USERS
    assert found.items == corpus.read(folder).items


def test_a_composed_text_is_the_mean_of_the_train_items() -> None:
    train = Interactions.build(users=[0, 0, 2], items=[0, 1, 1], n_users=3, n_items=2)
    found = corpus.composed(torch.tensor([[1.0, 0.0], [0.0, 4.0]]), train)
    assert found.tolist() == [[0.5, 2.0], [0.0, 0.0], [0.0, 4.0]]


def test_texts_whose_ids_are_all_strangers_are_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("interactions.parquet", "items.jsonl.gz"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with gzip.open(tmp_path / "users.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({"id": "0", "text": "a string where the log has a number"}))
    with pytest.raises(
        InvalidError, match=r"none of its ids is in interactions\.parquet: '0', not 0"
    ):
        corpus.read(tmp_path)
