"""Suspicion scores against really removing the edge, and by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from services.recsys.data import Embeddings, Interactions
from services.recsys.suspicion import leave_one_out, pair_scores, rank_average, text_cosine
from tests.spec import oracle_candidates as oracle

CELLS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=30, unique=True)


@settings(max_examples=80, deadline=None)
@given(CELLS, st.integers(1, 7))
def test_leave_one_out_equals_taking_the_edge_out_of_the_graph(
    pairs: list[tuple[int, int]], block: int
) -> None:
    pairs = sorted(pairs)
    users, items = zip(*pairs, strict=True) if pairs else ((), ())
    graph = Interactions.build(users=users, items=items, n_users=6, n_items=7)
    found = leave_one_out(graph, block=block)
    np.testing.assert_allclose(found, oracle.leave_one_out(pairs), atol=1e-8)


def test_an_edge_that_nobody_else_supports_scores_exactly_zero_and_weights_do_not_matter() -> None:
    graph = Interactions.build(
        users=[0, 0, 0, 1, 1, 2], items=[0, 1, 2, 0, 1, 0], n_users=3, n_items=3, weights=[9.0] * 6
    )
    # (0, 2) is item 2's only edge; (2, 0) is user 2's only edge
    # (1, 0) without itself: r_0 = {0, 2}, r_1 = {0, 1} share user 0: 1 / sqrt(2 * 2)
    assert leave_one_out(graph)[[2, 5, 3]].tolist() == [0.0, 0.0, 0.5]


def test_pair_scores_come_back_in_the_order_of_the_pairs() -> None:
    scores = np.arange(12.0).reshape(4, 3)
    users, items = np.array([3, 0, 3, 1]), np.array([1, 2, 0, 1])
    found = pair_scores(lambda b: scores[b], users=users, items=items, block=2)
    assert found.tolist() == [10.0, 2.0, 9.0, 4.0]
    nobody = np.empty(0, dtype=np.int64)
    assert pair_scores(lambda b: scores[b], users=nobody, items=nobody).tolist() == []


def test_text_cosine_takes_each_sides_mean_out_first() -> None:
    texts = Embeddings(
        torch.tensor([[10.0, 1.0], [10.0, -1.0]]), torch.tensor([[5.0, 7.0], [6.0, 6.0]])
    )
    # centred: users (0, 1), (0, -1); items (-.5, .5), (.5, -.5): cosines +-1/sqrt(2)
    found = text_cosine(texts, users=np.array([0, 0, 1]), items=np.array([0, 1, 1]), block=2)
    half = math.sqrt(0.5)
    assert found.tolist() == pytest.approx([half, -half, half])


def test_a_missing_text_moves_no_mean_and_has_cosine_zero() -> None:
    users = torch.tensor([[10.0, 1.0], [10.0, -1.0], [0.0, 0.0]])
    items = torch.tensor([[5.0, 7.0], [6.0, 6.0]])
    found = text_cosine(Embeddings(users, items), users=np.array([0, 2]), items=np.array([0, 0]))
    assert found.tolist() == pytest.approx([math.sqrt(0.5), 0.0])


def test_rank_average_of_two_orders_shares_the_middle_rank_of_a_tie() -> None:
    one, two = np.array([1.0, 5.0, 5.0, 9.0]), np.array([4.0, 3.0, 2.0, 1.0])
    # ranks 1, 2.5, 2.5, 4 and 4, 3, 2, 1, over 4
    assert rank_average(one, two).tolist() == [0.625, 0.6875, 0.5625, 0.625]
