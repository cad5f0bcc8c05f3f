"""The score of each view, by hand, and the measures that calibrate it."""

import numpy as np
import pytest

from services.local_llm.calibrate.measures import auc, kappa, levels, matching_cuts, shared_cuts
from services.local_llm.calibration import Cuts
from services.local_llm.scores import Centres, centred, item_score, user_score

AXES = np.eye(3, dtype=np.float32)
STYLE = AXES[:1]  # one domain: everything that points along the first axis
CENTRES = Centres(user=STYLE, item=STYLE, shelf_likeness=0.25)


def unit(*numbers: float) -> np.ndarray:
    row = np.array(numbers, dtype=np.float32)
    return row / np.linalg.norm(row)


def test_one_centre_is_taken_off_and_the_rest_scaled() -> None:
    rows = np.stack([unit(1, 1, 0), unit(1, 0, 1)])
    found = centred(rows, 0.5 * STYLE)
    by_hand = rows - np.array([0.5, 0, 0])
    by_hand /= np.linalg.norm(by_hand, axis=1, keepdims=True)
    assert found == pytest.approx(by_hand, abs=1e-6)


def test_each_text_loses_the_centre_of_its_own_domain() -> None:
    two = np.stack([unit(1, 0, 0), unit(0, 1, 0)])
    found = centred(np.stack([unit(3, 0, 1), unit(0, 3, 1)]), two)
    # e^(20 * .95) to 1: the other domain's centre weighs nothing
    by_hand = np.array([[3 / 10**0.5 - 1, 0, 1 / 10**0.5], [0, 3 / 10**0.5 - 1, 1 / 10**0.5]])
    by_hand /= np.linalg.norm(by_hand, axis=1, keepdims=True)
    assert found == pytest.approx(by_hand, abs=1e-5)


def test_common_style_alone_is_no_similarity() -> None:
    reader, book = unit(5, 1, 0), unit(5, 0, 1)
    assert reader @ book > 0.96
    assert user_score(CENTRES, reader, book) < 0.1


def test_the_item_view_takes_the_two_nearest_less_the_shelfs_own_likeness() -> None:
    zero = Centres(user=0 * STYLE, item=0 * STYLE, shelf_likeness=0.25)
    shelf, item = np.stack([unit(1, 0, 0), unit(1, 1, 0), unit(0, 0, 1)]), unit(1, 0, 0)
    root = 0.5**0.5
    likeness = (root + 0 + 0) / 3  # of the three pairs of the shelf
    assert item_score(zero, shelf, item, share=0.7) == pytest.approx(
        (1 + root) / 2 - 0.7 * likeness
    )


def test_a_shelf_of_one_is_as_alike_as_the_average_shelf() -> None:
    zero = Centres(user=0 * STYLE, item=0 * STYLE, shelf_likeness=0.25)
    assert item_score(zero, AXES[:1], AXES[0], share=0.4) == pytest.approx(1 - 0.4 * 0.25)


def test_auc_counts_ties_half() -> None:
    area, error = auc(np.array([3.0, 1.0]), np.array([1.0, 0.0]))
    assert area == pytest.approx(3.5 / 4)
    # Hanley & McNeil: A(1-A) + 1*(A/(2-A) - A^2) + 1*(2A^2/(1+A) - A^2), over 4
    variance = 0.109375 + (7 / 9 - 0.765625) + (1.53125 / 1.875 - 0.765625)
    assert error == pytest.approx((variance / 4) ** 0.5)


def test_kappa_is_one_for_the_same_and_zero_for_independent_labels() -> None:
    same = np.array([0, 1, 2, 2])
    assert kappa(same, same) == 1
    ours, theirs = np.repeat([0, 2], 2), np.tile([0, 2], 2)
    assert kappa(ours, theirs) == pytest.approx(0)


def test_cuts_give_each_label_as_often_as_it_was_said() -> None:
    scores = np.arange(100) / 100
    cuts = matching_cuts(scores, ["Low"] * 20 + ["Mid"] * 30 + ["High"] * 50)
    assert np.bincount(levels(scores, cuts)).tolist() == [20, 30, 50]


def test_cuts_move_halfway_to_where_another_shops_shuffled_pairs_part_alike() -> None:
    here = np.linspace(0, 1, 101)
    found = shared_cuts(Cuts(low=0.2, high=0.6), here=here, elsewhere=here + 0.3)
    assert (found.low, found.high) == pytest.approx((0.35, 0.75), abs=0.006)


def test_a_score_on_a_cut_belongs_above_it() -> None:
    cuts = Cuts(low=0.0, high=0.5)
    assert levels(np.array([-0.1, 0.0, 0.5]), cuts).tolist() == [0, 1, 2]
