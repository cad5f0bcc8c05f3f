"""Interactions: order, identity of edges, look-ups."""

import numpy as np
import pytest

from services.recsys.data import Interactions


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
