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


def test_a_composed_text_is_the_mean_of_the_train_items() -> None:
    train = Interactions.build(users=[0, 0, 2], items=[0, 1, 1], n_users=3, n_items=2)
    found = corpus.composed(torch.tensor([[1.0, 0.0], [0.0, 4.0]]), train)
    assert found.tolist() == [[0.5, 2.0], [0.0, 0.0], [0.0, 4.0]]
