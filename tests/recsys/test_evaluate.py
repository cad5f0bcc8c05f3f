"""The evaluator against a slow oracle, and the protocol's rules one by one."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.recsys.data import Interactions, Split
from services.recsys.evaluate import Evaluation, evaluate, paired_bootstrap, protocols
from services.recsys.topk import ScoreBlock
from tests.spec import oracle_metrics as oracle


def pairs(found: list[tuple[int, int]], *, n_users: int, n_items: int) -> Interactions:
    users, items = zip(*found, strict=True) if found else ((), ())
    return Interactions.build(users=users, items=items, n_users=n_users, n_items=n_items)


def table(scores: npt.ArrayLike) -> ScoreBlock:
    return lambda users: np.asarray(scores, dtype=np.float32)[users]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_every_figure_of_every_user_equals_the_slow_oracles(data: st.DataObject) -> None:
    n_users, n_items = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 8))
    cell = st.tuples(st.integers(0, n_users - 1), st.integers(0, n_items - 1))
    labels = data.draw(st.dictionaries(cell, st.sampled_from(["train", "test"]), min_size=1))
    row = st.lists(st.integers(-1, 1), min_size=n_items, max_size=n_items)  # many ties
    scores = data.draw(st.lists(row, min_size=n_users, max_size=n_users))
    train = [pair for pair, label in labels.items() if label == "train"]
    test = [pair for pair, label in labels.items() if label == "test"]
    if not test:
        return
    found = evaluate(
        table(scores),
        pairs(test, n_users=n_users, n_items=n_items),
        mask=pairs(train, n_users=n_users, n_items=n_items),
        ks=(1, 3, 10),
        block=data.draw(st.integers(1, 6)),
    )
    numbers = [[float(s) for s in row] for row in scores]
    for name, by_user in oracle.evaluate(numbers, test, train, [1, 3, 10]).items():
        assert found.users.tolist() == list(by_user)
        assert found.of(name) == pytest.approx(list(by_user.values()))
        assert found.means()[name] == pytest.approx(sum(by_user.values()) / len(by_user))


def test_validation_items_stay_in_the_list_and_count_as_misses() -> None:
    split = Split(
        train=pairs([(0, 0)], n_users=1, n_items=3),
        val=pairs([(0, 1)], n_users=1, n_items=3),
        test=pairs([(0, 2)], n_users=1, n_items=3),
    )
    first, second = protocols(split)
    scorer = table([[3.0, 2.0, 1.0]])
    assert evaluate(scorer, first.target, mask=first.mask, ks=(1,)).recall.tolist() == [[0.0]]
    assert evaluate(scorer, second.target, mask=second.mask, ks=(1,)).recall.tolist() == [[1.0]]
    assert (first.name, len(first.fit)) == ("train", 1)
    assert (second.name, len(second.fit)) == ("train+val", 2)


def test_users_without_a_target_do_not_enter_the_mean() -> None:
    target = pairs([(1, 0)], n_users=3, n_items=2)
    found = evaluate(table([[0, 1]] * 3), target, mask=pairs([], n_users=3, n_items=2), ks=(2,))
    assert found.users.tolist() == [1]
    assert found.means()["recall@2"] == 1.0


def test_the_largest_array_asked_for_is_a_block_of_users() -> None:
    asked: list[int] = []

    def scorer(users: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        asked.append(len(users))
        return np.zeros((len(users), 4), dtype=np.float32)

    target = pairs([(u, 0) for u in range(10)], n_users=10, n_items=4)
    evaluate(scorer, target, mask=pairs([], n_users=10, n_items=4), ks=(1,), block=3)
    assert asked == [3, 3, 3, 1]


def test_an_empty_target_is_refused() -> None:
    nothing = pairs([], n_users=2, n_items=2)
    with pytest.raises(ValueError, match="no user has a target"):
        evaluate(table([[0, 1]] * 2), nothing, mask=nothing)


def test_the_bootstrap_of_a_constant_gap_has_no_width() -> None:
    base = np.linspace(0, 1, 50)
    found = paired_bootstrap(base + 0.25, base, seed=1)
    assert (found.difference, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert found.decided


def test_the_bootstrap_interval_is_the_normal_one_for_many_users() -> None:
    gaps = np.random.default_rng(3).normal(0.1, 1.0, size=4000)
    found = paired_bootstrap(gaps, np.zeros(4000), seed=7, n=2000)
    half = 1.96 * gaps.std() / np.sqrt(4000)  # the central limit theorem's half width
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)
    assert found == paired_bootstrap(gaps, np.zeros(4000), seed=7, n=2000)


def test_no_gap_is_not_decided_and_unpaired_figures_are_refused() -> None:
    sides = np.tile([1.0, -1.0], 50)
    assert not paired_bootstrap(sides, np.zeros(100), seed=0).decided
    with pytest.raises(ValueError, match="shapes"):
        paired_bootstrap(sides, np.zeros(3), seed=0)


def test_a_figure_is_found_by_its_name() -> None:
    found = Evaluation(
        users=np.array([4]), ks=(5, 20), recall=np.array([[0.1, 0.2]]), ndcg=np.array([[0.3, 0.4]])
    )
    assert found.of("ndcg@20").tolist() == [0.4]
    assert found.of("recall@5").tolist() == [0.1]
