"""Top-K lists: order, ties, exclusion and blocks."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from services.recsys.data import Embeddings, Interactions
from services.recsys.topk import NO_ITEM, inner_product, top_k, top_k_lists
from tests.spec import oracle_metrics as oracle


def test_equal_scores_come_in_the_order_of_their_item_index() -> None:
    scores = np.array([[1.0, 2.0, 2.0, 1.0, 2.0, 1.0]], dtype=np.float32)
    assert top_k(scores, 4)[0].tolist() == [[1, 2, 4, 0]]


def test_a_list_is_padded_where_items_run_out() -> None:
    scores = np.array([[-np.inf, 3.0, -np.inf]], dtype=np.float32)
    items, values = top_k(scores, 5)
    assert items.tolist() == [[1, NO_ITEM, NO_ITEM, NO_ITEM, NO_ITEM]]
    assert values.tolist() == [[3.0] + [-np.inf] * 4]


@pytest.mark.parametrize("users", [[0], []])
def test_lists_of_no_length_are_refused(users: list[int]) -> None:
    seen = Interactions.build(users=[0], items=[1], n_users=1, n_items=3)
    scored = inner_product(Embeddings(torch.ones(1, 2), torch.ones(3, 2)))
    for k in (0, -1):
        with pytest.raises(ValueError, match=f"k must be at least 1, not {k}"):
            top_k_lists(scored, np.array(users, dtype=np.int64), seen=seen, k=k)
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        top_k(np.ones((1, 3)), 0)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"users": [0, -1]}, r"users\[1\] is -1: seen has 2 users, from 0"),
        ({"users": [2]}, r"users\[0\] is 2: seen has 2 users, from 0"),
        ({"users": [0.0]}, "users must be a vector of integers.* not float64"),
        ({"users": [True, False]}, "users must be a vector of integers.* not bool"),
        ({"users": [[0], [1]]}, r"users must be a vector .* shape \(2, 1\)"),
        ({"k": 1.5}, "k must be a whole number, 1 or more, not 1.5"),
        ({"k": True}, "k must be a whole number, 1 or more, not True"),
        ({"k": None}, "k must be a whole number, 1 or more, not None"),
        ({"block": 0}, "block must be at least 1, not 0"),
        ({"block": 2.0}, "block must be a whole number, 1 or more, not 2.0"),
    ],
)
def test_lists_that_cannot_be_are_refused_before_anything_is_scored(
    asked: dict[str, Any], told: str
) -> None:
    seen = Interactions.build(users=[0], items=[1], n_users=2, n_items=3)
    given = {"users": [0, 1], "k": 2, "block": 1, **asked}
    users = np.array(given.pop("users"))
    with pytest.raises(ValueError, match=told):
        top_k_lists(lambda _: pytest.fail("scored in vain"), users, seen=seen, **given)


def test_lists_of_items_that_were_never_seen_by_that_graph_tell_both_sizes() -> None:
    seen = Interactions.build(users=[0], items=[0], n_users=1, n_items=2)
    told = r"scores of shape \(1, 3\): 1 users were asked about, and what is hidden has 2 items"
    with pytest.raises(ValueError, match=told):
        top_k_lists(lambda _: np.ones((1, 3)), np.array([0]), seen=seen, k=1)


def test_a_score_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        top_k(np.array([[1.0, np.nan]]), 1)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_top_k_equals_sorting_everything(data: st.DataObject) -> None:
    n_items = data.draw(st.integers(1, 12))
    few = st.lists(st.integers(-2, 2), min_size=n_items, max_size=n_items)  # many ties
    row = data.draw(few)
    k = data.draw(st.integers(1, 14))
    expected = oracle.ranking([float(s) for s in row], set())[:k]
    found = top_k(np.array([row], dtype=np.float32), k)[0][0].tolist()
    assert found == expected + [NO_ITEM] * (k - len(expected))


@pytest.mark.parametrize("levels", [3, 40, 10**6], ids=["crowded", "some ties", "hardly any tie"])
@pytest.mark.parametrize("n_items", [640, 703])
def test_long_rows_equal_sorting_everything_however_much_ties(levels: int, n_items: int) -> None:
    rng = np.random.default_rng(levels + n_items)
    scores = rng.integers(levels, size=(5, n_items)).astype(np.float32)
    hardly = scores.copy()
    hardly[0, 5:] = -np.inf
    hardly[1, rng.permutation(n_items)[:300]] = -np.inf
    for block in (scores, hardly):  # the second one falls back to the partition as a whole
        excluded = [set(np.flatnonzero(np.isneginf(row)).tolist()) for row in block]
        found = top_k(block, 10)[0].tolist()
        for row, out, items in zip(block.tolist(), excluded, found, strict=True):
            expected = oracle.ranking(row, out)[:10]
            assert items == expected + [NO_ITEM] * (10 - len(expected))


@pytest.mark.parametrize("at", [0, 300, 702])
def test_one_score_that_is_not_a_number_is_found_in_a_long_row(at: int) -> None:
    scores = np.random.default_rng(1).random((2, 703))  # no tie: the bound decides
    scores[1, at] = np.nan
    with pytest.raises(ValueError, match="not a number"):
        top_k(scores, 10)


@pytest.mark.parametrize("block", [1, 2, 256])
def test_lists_leave_out_what_was_seen_at_any_block_size(block: int) -> None:
    seen = Interactions.build(users=[0, 0, 2], items=[3, 2, 0], n_users=3, n_items=4)
    items, _ = top_k_lists(
        lambda users: np.tile(np.arange(4.0), (len(users), 1)),
        np.array([0, 1, 2]),
        seen=seen,
        k=3,
        block=block,
    )
    assert items.tolist() == [[1, 0, NO_ITEM], [3, 2, 1], [3, 2, 1]]


def test_the_scorers_own_array_is_left_as_it_was() -> None:
    scores = np.ones((1, 2))
    seen = Interactions.build(users=[0], items=[0], n_users=1, n_items=2)
    top_k_lists(lambda _: scores, np.array([0]), seen=seen, k=1)
    assert scores.tolist() == [[1.0, 1.0]]


def test_scores_of_a_wrong_shape_are_refused() -> None:
    seen = Interactions.build(users=[0], items=[0], n_users=1, n_items=2)
    with pytest.raises(ValueError, match="shape"):
        top_k_lists(lambda _: np.ones((1, 3)), np.array([0]), seen=seen, k=1)


def test_no_users_have_no_lists() -> None:
    seen = Interactions.build(users=[0], items=[0], n_users=1, n_items=2)
    nobody = np.empty(0, dtype=np.int64)
    assert top_k_lists(lambda _: np.ones((0, 2)), nobody, seen=seen, k=3)[0].shape == (0, 3)


def test_inner_products_are_the_scores_of_a_trained_model(device: torch.device) -> None:
    users, items = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[3.0, -1.0]])
    vectors = Embeddings(users, items).to(device)
    assert inner_product(vectors)(np.array([1, 0])).tolist() == [[-1.0], [1.0]]
