"""Areas, shares and the price of a removal by hand."""

import numpy as np
import pytest

from services.trainer.bench.standing import area, kept, share


def test_the_error_of_an_area_is_delongs_by_hand() -> None:
    scores = np.array([3.0, 1.0, 2.0, 0.0, 2.0])
    truth = np.array([True, True, False, False, False])
    # placements: 3 beats all (1), 1 beats one of three (1/3); below 2, 0, 2 lie 1/2, 1, 1/2
    value, error = area(scores, truth)
    assert value == pytest.approx(2 / 3)
    over, below = np.array([1, 1 / 3]), np.array([1 / 2, 1, 1 / 2])
    assert error == pytest.approx(np.sqrt(over.var(ddof=1) / 2 + below.var(ddof=1) / 3))


def test_a_share_has_its_binomial_error() -> None:
    value, error = share(np.array([True, False, True, True]))
    assert (value, error) == (0.75, pytest.approx(np.sqrt(0.75 * 0.25 / 4)))
    assert share(np.empty(0, dtype=np.bool_)) == (0.0, 0.0)


def test_what_stays_when_half_of_the_fakes_are_gone() -> None:
    score = np.array([0.0, 1.0, 2.0, 3.0, 0.5, 2.5])
    fake = np.array([True, True, False, False, False, False])
    # the threshold is the lower fake, 0: nothing true lies there; to lose both, .5 goes too
    assert kept(score, fake, ~fake, removed=0.5) == 1.0
    assert kept(score, fake, ~fake, removed=1.0) == 0.75


def test_of_a_tie_at_the_threshold_the_same_share_goes_on_either_side() -> None:
    labels = np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    fake = np.array([True, True, False, False, False])
    # all fakes tie: half of them go, and so does half of the two true ones beside them
    assert kept(labels, fake, ~fake) == pytest.approx(2 / 3)
