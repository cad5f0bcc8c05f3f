"""The newcomers' bench on a generated shop: who is taken out, what is compared, what is printed."""

import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from services.recsys.data import Embeddings
from services.recsys.seeds import Seeds
from services.shared.errors import InvalidError
from services.trainer.bench import coldstart, published

USERS, ITEMS, TAKEN = 120, 60, 12
PARTS = ("train", "train", "train", "val", "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published split of two tastes, with a text for everybody."""
    base, rng = tmp_path_factory.mktemp("coldstart"), np.random.default_rng(3)
    rows = [
        {
            "user_id": u,
            "item_id": int(i),
            "split": ("train", "val", "test")[n % 5 // 3 + n % 5 // 4],
        }
        for u in range(USERS)
        for n, i in enumerate(rng.choice(np.arange(u % 2, ITEMS, 2), TAKEN, replace=False))
    ]
    pl.DataFrame(rows).write_parquet(base / "interactions.parquet")
    for side, count in (("users", USERS), ("items", ITEMS)):
        lines = [json.dumps({"id": n, "text": f"taste {n % 2}"}) for n in reversed(range(count))]
        with gzip.open(base / f"{side}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(lines))
    return base


def _vectors() -> Embeddings:
    rng = np.random.default_rng(4)

    def lean(count: int) -> torch.Tensor:
        rows = np.eye(8)[np.arange(count) % 2] + 0.1 * rng.normal(size=(count, 8))
        return torch.from_numpy(rows).float()

    return Embeddings(lean(USERS), lean(ITEMS))


def test_texts_come_in_the_order_of_the_ids(folder: Path) -> None:
    texts = coldstart._texts(folder)
    assert texts.users[:3] == ("taste 0", "taste 1", "taste 0")
    assert (len(texts.users), len(texts.items)) == (USERS, ITEMS)


def test_missing_texts_are_told_by_their_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "interactions.parquet").write_bytes((folder / "interactions.parquet").read_bytes())
    with pytest.raises(InvalidError, match=r"has no users\.jsonl\.gz"):
        coldstart._texts(tmp_path)


def test_newcomers_are_a_fifth_and_half_of_them_choose(folder: Path) -> None:
    split = published.read(folder)
    new = coldstart._drawn(split, Seeds(0).numpy("newcomers"))
    assert (new.users.sum(), new.items.sum()) == (USERS // 5, ITEMS // 5)
    assert (new.choosing.sum(), new.choosing_items.sum()) == (USERS // 10, ITEMS // 10)
    assert not (new.choosing & ~new.users).any()


def test_two_tastes_are_met_by_history_and_by_text(folder: Path) -> None:
    split = published.read(folder)
    new = coldstart._drawn(split, Seeds(0).numpy("newcomers"))
    trained = coldstart._train(split, new, seed=0)
    assert not new.users[trained.train.users].any()
    assert not new.items[trained.train.items].any()
    found = coldstart._judge(split, new, trained, _vectors(), "val")
    # 24 of 48 trained items are of a taste, at most 8 of them hidden: 20 hold most of the rest
    assert found["fold-in"] > 0.8 > found["popularity"] + 0.1
    assert found["text"] > 0.7
    text = coldstart.table(found, found)
    assert text.count("MET: ") + text.count("MISSED: ") == len(coldstart.AIMS)
    assert "| fold-in |" in text
