"""Who chooses a blend's weights: validation items, among what was not trained on."""

import numpy as np

from services.recsys.data import Interactions, Split
from services.recsys.weighing import Judge


def graph(items: list[int]) -> Interactions:
    return Interactions.build(users=[0] * len(items), items=items, n_users=1, n_items=60)


def test_validation_judges_a_blend_with_the_train_items_hidden_and_test_never() -> None:
    # scores fall from item 0 on: 0-29 are trained on, and of the rest 30-49 are the first twenty
    split = Split(train=graph([*range(30)]), val=graph([49, 50]), test=graph([31, 32, 33]))
    judge = Judge(split, most=10)
    assert judge(lambda users: -np.tile(np.arange(60.0), (len(users), 1))) == 0.5
    assert judge.val is split.val
    assert judge.mask is split.train
