"""The series follows from its seed, tries every kind of fault, and tells what it saw."""

from tests.faults import moments
from tests.faults.__main__ import deal, plan
from tests.faults.strikes import FAULTS
from tests.faults.table import markdown
from tests.faults.trial import Outcome, Trial


def _series(seed: int) -> list[Trial]:
    return plan(trials=3, storms=4, seed=seed, kinds=(), only=())


def test_a_seed_names_the_whole_series() -> None:
    assert _series(7) == _series(7) != _series(8)
    one, same = _series(7)[0], _series(7)[0]
    assert (one.pause("rate"), one.calls_before()) == (same.pause("rate"), same.calls_before())


def test_every_kind_strikes_alone_and_among_others_at_its_own_moments() -> None:
    alone = [one.strikes[0] for one in _series(1) if len(one.strikes) == 1]
    assert {fault for fault, _ in alone} == FAULTS.keys()
    among = [strike for trial in deal(5, seed=1) for strike in trial.strikes]
    assert {fault for fault, _ in among} == FAULTS.keys()
    assert all(moment in FAULTS[fault].moments for fault, moment in [*alone, *among])


def test_a_storm_strikes_once_at_a_moment_in_the_order_of_the_way() -> None:
    for trial in deal(6, seed=3):
        when = [moments.ALL.index(moment) for _, moment in trial.strikes]
        assert when == sorted(set(when))


def test_the_table_says_what_held_and_what_did_not() -> None:
    held = Outcome(fault="Valkey wiped", moment="rate", seed=1, ending="succeeded", calls=240)
    hung = Outcome(fault="api killed", moment="posting", seed=1, wrong=["run hangs: | rate"])
    lines = markdown([held, hung]).splitlines()
    assert lines[2] == "| Valkey wiped | rate | 1 | succeeded |  | 240 | 0 | 0 | 0 | holds |"
    assert lines[3].endswith("run hangs: / rate |")
    assert lines[-1] == "1 of 2 trials held; at most 0 calls were paid again."
