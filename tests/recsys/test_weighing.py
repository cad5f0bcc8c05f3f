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


@pytest.mark.parametrize(
    ("train", "val", "told"),
    [
        ([], [1], "train is empty: nothing can be learned"),
        ([3, 4, 5], [4, 5, 6], r"validation holds 2 pairs of train, \(0, 4\) the first"),
        ([3, 4], [3, 4], "validation holds 2 pairs of train"),
    ],
)
def test_what_was_trained_on_cannot_choose_nor_can_nothing_be_trained_on(
    train: list[int], val: list[int], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        Judge(Split(train=graph(train), val=graph(val), test=graph([])), most=10)


def test_validation_of_another_shop_is_refused_with_both_sizes() -> None:
    val = Interactions.build(users=[2], items=[1], n_users=3, n_items=60)
    told = "validation is a graph of 3 users and 60 items, not of train's 1 and 60"
    with pytest.raises(ValueError, match=told):
        Judge(Split(train=graph([0, 1]), val=val, test=graph([2])), most=10)


def test_a_part_that_tells_nothing_is_left_out() -> None:
    rng = np.random.default_rng(1)
    wanted = rng.random((50, 40)) < 0.2
    told = wanted + 0.6 * rng.standard_normal((50, 40))
    scores = np.stack([told, np.full((50, 40), 0.5)], axis=-1).astype(np.float32)
    there = np.ones((50, 40), dtype=bool)
    shown = Shelf(scores, there, wanted, np.maximum(wanted.sum(axis=1), 1))
    assert search(shown, [np.ones(2)]) == (1.0, 0.0)
