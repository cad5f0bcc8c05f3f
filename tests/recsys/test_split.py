"""Splits: shares, stability of a hash, time's order, and the k-core."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.recsys import split
from services.recsys.data import Interactions
from tests.spec import oracle_split as oracle

CELLS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=25, unique=True)


def graph(pairs: list[tuple[int, int]], n: int = 6) -> Interactions:
    users, items = zip(*pairs, strict=True) if pairs else ((), ())
    return Interactions.build(users=users, items=items, n_users=n, n_items=n)


def names(n: int, kind: str) -> list[str]:
    return [f"{kind}{i}" for i in range(n)]


def test_a_hash_split_meets_its_shares_within_four_standard_errors() -> None:
    n = 200
    edges = graph([(u, i) for u in range(n) for i in range(n)], n)
    parts = split.by_hash(
        edges, user_ids=names(n, "u"), item_ids=names(n, "i"), seed=1, val=0.1, test=0.2
    )
    counts = np.bincount(parts, minlength=3) / len(edges)
    # four times sqrt(p (1 - p) / 40,000) is .006 for .1 and .008 for .2
    assert counts.tolist() == pytest.approx([0.7, 0.1, 0.2], abs=0.009)
    per_user = np.bincount(edges.users[parts == split.TEST], minlength=n)
    assert 20 < per_user.min() < per_user.max() < 65  # 40 +- 4.4 sigma: no user is favoured


def test_an_edge_keeps_its_part_when_ids_are_renumbered_and_others_leave() -> None:
    edges = graph([(u, i) for u in range(6) for i in range(6)])
    kwargs = {"seed": 9, "val": 0.3, "test": 0.3}
    whole = split.by_hash(edges, user_ids=names(6, "u"), item_ids=names(6, "i"), **kwargs)
    few = graph([(0, 0), (1, 1)], 2)  # users u4, u2 and items i5, i3 under other numbers
    part = split.by_hash(few, user_ids=["u4", "u2"], item_ids=["i5", "i3"], **kwargs)
    at = edges.locate(users=np.array([4, 2]), items=np.array([5, 3]))
    assert part.tolist() == whole[at].tolist()


def test_the_hash_of_a_fixed_pair_is_the_same_on_every_machine() -> None:
    edges = graph([(0, i) for i in range(6)])
    parts = split.by_hash(
        edges, user_ids=names(6, "ü"), item_ids=names(6, "i"), seed=2024, val=0.3, test=0.3
    )
    assert parts.tolist() == [0, 0, 1, 1, 1, 0]  # by Python integers, no array library


def test_another_seed_and_swapped_ids_give_another_split() -> None:
    edges = graph([(u, i) for u in range(6) for i in range(6)])
    same = names(6, "x")

    def drawn(seed: int) -> list[int]:
        parts = split.by_hash(edges, user_ids=same, item_ids=same, seed=seed, val=0.3, test=0.3)
        return parts.tolist()

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    square = np.array(drawn(1)).reshape(6, 6)
    assert (square != square.T).any()  # user x1 with item x2 is not user x2 with item x1


def test_time_splits_at_the_shares_and_keeps_one_instant_together() -> None:
    times = np.array([50, 10, 20, 30, 40, 60, 70, 80, 90, 100])
    found = split.by_time(times=times, val=0.1, test=0.2)
    assert found.tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 2, 2]
    tied = np.array([1, 2, 3, 4, 5, 6, 7, 9, 9, 9])  # the instant 9 began before the cut at 8
    assert split.by_time(times=tied, val=0.0, test=0.2).tolist() == [0] * 10
    assert split.by_time(times=tied, val=0.1, test=0.2).tolist() == [0] * 7 + [1] * 3


@settings(max_examples=60, deadline=None)
@given(CELLS, st.data())
def test_leave_last_equals_sorting_every_user(
    pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    pairs = sorted(pairs)
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)))
    found = split.leave_last(graph(pairs), times=np.array(times, dtype=np.int64))
    expected = oracle.leave_last(pairs, times)
    assert found.tolist() == [split.NAMES[expected[pair]] for pair in pairs]


@settings(max_examples=60, deadline=None)
@given(CELLS, st.integers(0, 4), st.integers(0, 4))
def test_the_core_equals_removing_one_by_one(
    pairs: list[tuple[int, int]], least_user: int, least_item: int
) -> None:
    pairs = sorted(pairs)
    keep = split.core(graph(pairs), min_user_degree=least_user, min_item_degree=least_item)
    expected = oracle.core(pairs, min_user_degree=least_user, min_item_degree=least_item)
    assert {pair for pair, kept in zip(pairs, keep, strict=True) if kept} == expected


def test_a_column_is_read_and_an_unknown_word_is_named() -> None:
    assert split.by_column(["test", "train", "val"]).tolist() == [2, 0, 1]
    with pytest.raises(ValueError, match="'Test'"):
        split.by_column(["train", "Test"])


def test_parts_become_three_disjoint_graphs_over_the_same_people() -> None:
    edges = graph([(0, 1), (2, 3), (4, 5)])
    found = split.apply_parts(edges, np.array([2, 0, 1], dtype=np.int8))
    assert [part.users.tolist() for part in (found.train, found.val, found.test)] == [[2], [4], [0]]
    assert found.test.n_users == 6


@pytest.mark.parametrize("parts", [[0, 1], [0, 1, 2, 0], [[0, 1, 2]], 0])
def test_parts_that_are_not_one_an_edge_are_refused(parts: object) -> None:
    edges, given = graph([(0, 1), (2, 3), (4, 5)]), np.array(parts, dtype=np.int8)
    with pytest.raises(
        ValueError, match=r"parts has shape .*: one for each edge is wanted, \(3,\)"
    ):
        split.apply_parts(edges, given)


@pytest.mark.parametrize(("n_users", "n_items"), [(5, 6), (6, 7)])
def test_ids_that_are_not_one_for_each_user_and_item_are_refused(
    n_users: int, n_items: int
) -> None:
    users, items = names(n_users, "u"), names(n_items, "i")
    told = "user_ids has 5 rows: one for" if n_users < 6 else "item_ids has 7 rows: one for each of"
    with pytest.raises(ValueError, match=told):
        split.by_hash(graph([(0, 0)]), user_ids=users, item_ids=items, seed=1, val=0.1, test=0.1)


@pytest.mark.parametrize(("val", "test"), [(0.5, 0.5), (-0.1, 0.2)])
def test_shares_that_leave_nothing_to_train_on_are_refused(val: float, test: float) -> None:
    with pytest.raises(ValueError, match="nothing to train on"):
        split.by_time(times=np.array([1, 2]), val=val, test=test)
