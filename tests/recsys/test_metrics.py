"""Ranking metrics against slow Python and against numbers done by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from services.recsys import metrics
from tests.spec import oracle_metrics as oracle


def test_recall_divides_the_hits_by_all_targets_not_by_k() -> None:
    hits = np.array([[True, False, True]])
    assert metrics.recall_at(hits, np.array([4]), 3).tolist() == [0.5]
    assert metrics.recall_at(hits, np.array([4]), 1).tolist() == [0.25]


def test_ndcg_of_hits_at_ranks_one_and_three_of_four_targets() -> None:
    hits = np.array([[True, False, True]])
    # (1 + 1/2) / (1 + 1/log2(3) + 1/2): the ideal list is cut at k = 3, not at 4 targets
    assert metrics.ndcg_at(hits, np.array([4]), 3)[0] == pytest.approx(1.5 / 2.1309297535714573)


def test_ndcg_is_one_when_all_targets_lead_a_longer_list() -> None:
    hits = np.array([[True, True, False, False]])
    assert metrics.ndcg_at(hits, np.array([2]), 4)[0] == pytest.approx(1.0)


@pytest.mark.parametrize(("k", "targets"), [(0, 1), (4, 1), (2, 0)])
def test_a_k_beyond_the_list_and_a_user_without_targets_are_refused(k: int, targets: int) -> None:
    with pytest.raises(ValueError, match=r"does not fit|without targets"):
        metrics.recall_at(np.zeros((1, 3), dtype=bool), np.array([targets]), k)


def test_auc_counts_a_tie_as_half() -> None:
    # pairs (positive, negative): 3>2, 3>1, 1<2, 1=1 -> 2.5 of 4
    assert metrics.auc([3, 1, 2, 1], [True, True, False, False]) == 0.625


def test_auc_of_one_kind_of_label_is_refused() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        metrics.auc([1.0, 2.0], [True, True])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auc_equals_counting_all_pairs(rows: list[tuple[int, bool]]) -> None:
    scores, labels = [float(s) for s, _ in rows], [label for _, label in rows]
    if len(set(labels)) == 2:
        assert metrics.auc(scores, labels) == pytest.approx(oracle.auc(scores, labels))


def test_precision_and_recall_of_three_flags_over_two_truths() -> None:
    flagged = [True, True, True, False, False]
    truth = [True, False, False, True, False]
    assert metrics.precision_recall(flagged, truth) == (1 / 3, 1 / 2)
    assert metrics.precision_recall([False], [True]) == (0.0, 0.0)


def test_average_ranks_are_those_of_scipy() -> None:
    scores = np.random.default_rng(3).integers(0, 9, 200).astype(float)
    assert metrics.average_ranks(scores).tolist() == rankdata(scores).tolist()
    assert metrics.average_ranks([2.0, 1.0, 2.0]).tolist() == [2.5, 1.0, 2.5]
