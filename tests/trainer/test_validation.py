"""What early stopping watches: the validation items, with the train items hidden."""

import torch

from services.recsys.data import Embeddings, Interactions, Split
from services.trainer.training import validation


def graph(items: list[int]) -> Interactions:
    return Interactions.build(users=[0] * len(items), items=items, n_users=1, n_items=60)


def test_the_training_is_stopped_by_validation_items_among_what_was_not_trained_on() -> None:
    # scores fall from item 0 on: 0-29 are trained on, and of the rest 30-49 are the first twenty
    z = Embeddings(torch.ones(1, 1), -torch.arange(60.0).unsqueeze(1))
    split = Split(train=graph([*range(30)]), val=graph([49, 50]), test=graph([31, 32, 33]))
    assert validation(z, split) == 0.5
