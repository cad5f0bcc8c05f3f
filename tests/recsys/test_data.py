"""Interactions: order, identity of edges, look-ups; what they and signals refuse."""

import re
from typing import Any

import numpy as np
import pytest
import torch

from services.recsys.data import Embeddings, Interactions, Signals


def small(weights: list[float] | None = None) -> Interactions:
    return Interactions.build(
        users=[2, 0, 2, 0], items=[1, 3, 0, 3], n_users=3, n_items=4, weights=weights
    )


def test_building_sorts_by_user_and_item_and_drops_repeats() -> None:
    graph = small()
    assert graph.users.tolist() == [0, 2, 2]
    assert graph.items.tolist() == [3, 0, 1]


def test_a_repeated_pair_keeps_its_largest_weight() -> None:
    assert small([0.5, 0.25, 1.0, 0.75]).values().tolist() == [0.75, 1.0, 0.5]


def test_degrees_and_row_pointers_count_users_without_edges() -> None:
    graph = small()
    assert graph.user_degrees().tolist() == [1, 0, 2]
    assert graph.item_degrees().tolist() == [1, 1, 0, 1]
    assert graph.indptr().tolist() == [0, 1, 1, 3]


def test_the_matrix_holds_each_weight_at_its_pair() -> None:
    expected = [[0, 0, 0, 0.75], [0, 0, 0, 0], [1.0, 0.5, 0, 0]]
    assert small([0.5, 0.25, 1.0, 0.75]).csr().toarray().tolist() == expected


def test_locating_gives_positions_and_minus_one_for_what_is_no_edge() -> None:
    users, items = np.array([[2, 0], [1, 2]]), np.array([[1, 3], [0, 3]])
    assert small().locate(users=users, items=items).tolist() == [[2, 0], [-1, -1]]


def test_an_empty_graph_contains_nothing() -> None:
    empty = Interactions.build(users=[], items=[], n_users=3, n_items=4)
    assert not empty.contains(users=np.array([0]), items=np.array([0])).any()
    assert empty.csr().shape == (3, 4)


def test_keys_come_back_as_the_same_edges() -> None:
    graph = small()
    again = Interactions.from_keys(graph.keys(), n_users=3, n_items=4)
    assert again.users.tolist() == graph.users.tolist()
    assert again.items.tolist() == graph.items.tolist()


@pytest.mark.parametrize(
    ("users", "items"), [([1, 0], [0, 0]), ([0, 0], [1, 1]), ([0], [4]), ([3], [0]), ([-1], [0])]
)
def test_the_constructor_refuses_disorder_repeats_and_strangers(
    users: list[int], items: list[int]
) -> None:
    with pytest.raises(ValueError, match="edge"):
        Interactions(np.array(users), np.array(items), n_users=3, n_items=4)


def test_disorder_is_told_by_the_first_two_edges_that_stand_in_it() -> None:
    told = re.escape("as `build` leaves them: (1, 0) stands after (1, 2)")
    with pytest.raises(ValueError, match=told):
        Interactions(np.array([0, 1, 1, 0]), np.array([3, 2, 0, 0]), n_users=3, n_items=4)


GOOD: dict[str, Any] = {"users": [2, 0], "items": [1, 3], "n_users": 3, "n_items": 4}
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"users": [2, 3]}, "users[1] is 3: an edge's must lie in [0, 3), n_users is 3"),
    ({"items": [-1, 9]}, "items[0] is -1: an edge's must lie in [0, 4), n_items is 4"),
    ({"users": [2.0, 0.5]}, "users must be integers, an edge's numbers from 0, not float64"),
    ({"items": ["1", "3"]}, "items must be integers, an edge's numbers from 0, not <U1"),
    ({"users": [True, False]}, "users must be integers, an edge's numbers from 0, not bool"),
    ({"users": [[2, 0]]}, "users must be a numpy vector, one entry an edge, not ndarray of shape"),
    ({"items": [1]}, "2 users and 1 items: an edge has one of each"),
    (
        {"weights": [1.0]},
        "weights must be a numpy vector, of shape (2,), not ndarray of shape (1,)",
    ),
    ({"weights": [1.0, -0.5]}, "weights[1] is -0.5: an edge's must be finite, 0 or more"),
    ({"weights": [np.nan, 1.0]}, "weights[0] is nan: an edge's must be finite, 0 or more"),
    ({"weights": [0.0, np.inf]}, "weights[1] is inf: an edge's must be finite, 0 or more"),
    ({"n_users": 3.0}, "n_users must be a whole number, 0 or more, not 3.0"),
    ({"n_items": -4}, "n_items must be a whole number, 0 or more, not -4"),
    ({"n_users": 2**40, "n_items": 2**40}, "are more pairs than have a number"),
]


@pytest.mark.parametrize(("fault", "told"), FAULTS)
def test_building_tells_the_first_fault_by_its_place_in_what_was_given(
    fault: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        Interactions.build(**{**GOOD, **fault})


def test_the_constructor_refuses_what_build_would_have_turned_into_vectors() -> None:
    users, items = np.array([0, 1]), np.array([1, 0])
    with pytest.raises(ValueError, match="users must be a numpy vector, one entry an edge"):
        Interactions([0, 1], items, 2, 2)  # type: ignore[arg-type] # that is what is refused
    with pytest.raises(ValueError, match=r"of shape \(2,\), not list of shape None"):
        Interactions(users, items, 2, 2, [1.0, 0.5])  # type: ignore[arg-type] # as above
    with pytest.raises(ValueError, match="weights must be floats, not int64"):
        Interactions(users, items, 2, 2, np.array([1, 2]))  # type: ignore[arg-type] # as above


def sides(users: int, items: int, d: int = 3) -> Embeddings:
    return Embeddings(torch.zeros(users, d), torch.zeros(items, d))


def test_signals_with_vectors_that_are_none_are_refused() -> None:
    holed = sides(3, 4)
    holed.items[2, 1] = torch.nan
    for vectors, told in (
        (holed, "texts.items[2] is not finite; a missing text is zeros"),
        (Embeddings(torch.zeros(3), torch.zeros(4, 3)), "texts.users must be a tensor of floats"),
        (Embeddings(torch.zeros(3, 2).long(), torch.zeros(4, 2)), "texts.users must be a tensor"),
        (Embeddings(torch.zeros(3, 2), torch.zeros(4, 3)), "not 2 for users and 3 for items"),
    ):
        with pytest.raises(ValueError, match=re.escape(told)):
            Signals(texts=vectors)


def test_signals_of_other_users_or_items_than_the_graph_are_refused() -> None:
    graph, other = small(), Interactions.build(users=[0], items=[0], n_users=3, n_items=5)
    Signals(aligned=sides(3, 4), texts=sides(3, 4, 9), refined=graph, hard=graph).check(graph)
    for signals, told in (
        (Signals(aligned=sides(2, 4)), "aligned.users has 2 rows: one for each of the 3 users"),
        (Signals(texts=sides(3, 5)), "texts.items has 5 rows: one for each of the 4 items"),
        (Signals(hard=other), "hard is a graph of 3 users and 5 items, not of train's 3 and 4"),
    ):
        with pytest.raises(ValueError, match=re.escape(told)):
            signals.check(graph)
