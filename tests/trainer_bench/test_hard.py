"""Hard edges and hard test items, and that a criterion's price is read at half of the fakes."""

from pathlib import Path

import numpy as np
import pytest

from services.recsys.closed_forms import Ease
from services.recsys.ease_out import ease_scores
from services.trainer.bench import hard, published, signals
from services.trainer.bench.cells import Cells
from services.trainer.bench.detections import Planted, planting


@pytest.fixture(scope="module")
def planted(folder: Path) -> Planted:
    train, fake = planting(published.read(folder), "uniform", 0)
    rng = np.random.default_rng(0)
    names = {part for parts in hard.CRITERIA.values() for part in parts}
    scores = {name: rng.normal(size=len(train)) - fake for name in sorted(names)}
    scores[signals.DEFAULT] = 1.0 - fake  # the truth
    return Planted(kind="uniform", seed=0, train=train, fake=fake, scores=scores)


def test_a_quarter_of_the_true_edges_is_hard_by_the_clean_graph(
    folder: Path, planted: Planted, tmp_path: Path
) -> None:
    clean = published.read(folder).train
    odd = hard.oddness(Cells(tmp_path), clean)
    assert odd.tolist() == ease_scores(clean, lam=hard.LAM)[1].tolist()
    found = hard.hard_edges(planted, clean, odd)
    assert not found[planted.fake].any()
    assert found.sum() == pytest.approx(len(clean) / 4, abs=2)
    at = clean.locate(users=planted.train.users[found], items=planted.train.items[found])
    assert odd[at].max() <= np.delete(odd, at).min()


def test_the_truth_keeps_everything_and_chance_keeps_its_share(planted: Planted) -> None:
    found = hard.stay(planted, ~planted.fake & (planted.train.users % 3 == 0))
    assert found["plausibility"] == (1.0, 1.0)
    for name in ("training loss", "leave-one-out", "user degree"):
        assert all(0.5 < share < 1.0 for share in found[name])


def test_half_of_the_fakes_are_gone_from_what_is_trained_on(planted: Planted) -> None:
    for arm in (*hard.TRAINED, hard.TRUTH):
        graph = hard._after(arm, planted)
        fakes = planted.train.where(planted.fake)
        left = graph.contains(users=fakes.users, items=fakes.items).mean()
        assert left == pytest.approx(0.5, abs=0.01) or arm == "plausibility"  # its fakes all tie
    assert hard._after(hard.RAW, planted) is planted.train


def test_the_hardest_test_items_are_each_users_lower_half(folder: Path) -> None:
    split = published.read(folder)
    found, scores = hard.hardest(split), Ease(lam=hard.LAM).fit(split.train).score_block
    for user in np.unique(split.test.users)[:20]:
        items = split.test.items[split.test.users == user]
        mine = found.items[found.users == user]
        assert len(mine) == max(len(items) // 2, 1)
        values = scores(np.array([user]))[0]
        assert set(mine) <= set(items)
        others = np.setdiff1d(items, mine)
        assert not len(others) or values[mine].max() <= values[others].min()
