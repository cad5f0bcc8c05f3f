"""The newcomers' bench on a generated shop: who is taken out, what is compared, what is printed."""

from pathlib import Path

import numpy as np
import torch

from services.recsys.data import Embeddings
from services.recsys.seeds import Seeds
from services.trainer.bench import coldstart, published
from tests.trainer_bench.folder import ITEMS, USERS


def _vectors() -> Embeddings:
    rng = np.random.default_rng(4)

    def lean(count: int) -> torch.Tensor:
        rows = np.eye(8)[np.arange(count) % 2] + 0.1 * rng.normal(size=(count, 8))
        return torch.from_numpy(rows).float()

    return Embeddings(lean(USERS), lean(ITEMS))


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
