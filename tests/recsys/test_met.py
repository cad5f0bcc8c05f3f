"""What a batch meets, numbered once, and what is read of it."""

import torch

from services.recsys.data import Batch, Embeddings
from services.recsys.ranking import Met, shrinkage
from services.recsys.samplers.dns import member_scores
from tests.recsys.planted import vectors

BATCH = Batch(torch.tensor([5, 2, 5]), torch.tensor([7, 7, 1]), torch.ones(3))


def test_nobody_is_met_twice_and_every_place_leads_back() -> None:
    negatives, shared = torch.tensor([3, 1, 9]), torch.tensor([7, 4])
    met = Met.of(BATCH, negatives, shared)
    assert (met.users.tolist(), met.items.tolist()) == ([2, 5], [1, 3, 4, 7, 9])
    assert torch.equal(met.users[met.batch.users], BATCH.users)
    assert torch.equal(met.items[met.batch.items], BATCH.items)
    assert [met.items[some].tolist() for some in met.others] == [[3, 1, 9], [7, 4]]
    assert met.batch.weights is BATCH.weights


def test_shrinkage_counts_a_row_as_often_as_the_batch_names_it() -> None:
    X = Embeddings(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [1.0]]))
    local = Batch(torch.tensor([0, 1, 0]), torch.tensor([0, 0, 1]), torch.ones(3))
    # users 1 + 4 + 1, items 9 + 9 + 1, over twice 3 pairs
    assert float(shrinkage(X, local, lambda_reg=0.6)) == 2.5
    assert float(shrinkage(X, local, lambda_reg=0.0)) == 0.0


def test_scores_of_members_equal_dot_products_over_more_users_than_one_gather() -> None:
    z = Embeddings(vectors(1, 300, 2), vectors(2, 7, 2))
    users, items = torch.arange(300) % 299, torch.arange(900).view(300, 3) % 7
    expected = (z.users[users][:, None] * z.items[items]).sum(2)
    torch.testing.assert_close(member_scores(z, users, items), expected)
