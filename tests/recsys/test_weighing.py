"""Who chooses a blend's weights: validation items, among what was not trained on."""

import numpy as np
import pytest

from services.recsys.data import Interactions, Split
from services.recsys.weighing import Judge, Shelf, search


def graph(items: list[int]) -> Interactions:
    return Interactions.build(users=[0] * len(items), items=items, n_users=1, n_items=60)


def test_validation_judges_a_blend_with_the_train_items_hidden_and_test_never() -> None:
    # scores fall from item 0 on: 0-29 are trained on, and of the rest 30-49 are the first twenty
    split = Split(train=graph([*range(30)]), val=graph([49, 50]), test=graph([31, 32, 33]))
    judge = Judge(split, most=10)
    assert judge(lambda users: -np.tile(np.arange(60.0), (len(users), 1))) == 0.5
    assert judge.val is split.val
    assert judge.mask is split.train


def test_without_validation_nothing_can_choose() -> None:
    with pytest.raises(ValueError, match="validation is empty"):
        Judge(Split(train=graph([0, 1]), val=graph([]), test=graph([2])), most=10)


def test_a_part_that_tells_nothing_is_left_out() -> None:
    rng = np.random.default_rng(1)
    wanted = rng.random((50, 40)) < 0.2
    told = wanted + 0.6 * rng.standard_normal((50, 40))
    scores = np.stack([told, np.full((50, 40), 0.5)], axis=-1).astype(np.float32)
    there = np.ones((50, 40), dtype=bool)
    shown = Shelf(scores, there, wanted, np.maximum(wanted.sum(axis=1), 1))
    assert search(shown, [np.ones(2)]) == (1.0, 0.0)
