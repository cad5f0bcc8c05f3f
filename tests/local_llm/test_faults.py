"""The faults: repeatable, at most two in a row, as often as asked for."""

from itertools import pairwise

import pytest

from services.local_llm.faults import KINDS, FaultPlan, Faults, parse_plan
from services.shared.errors import InvalidError

PLAN = "rate_limit=.2,server_error=.2,drop=.1,malformed=.1,truncated=.1,bad_label=.1"


def prompts(count: int) -> list[bytes]:
    return [f"prompt {number}".encode() for number in range(count)]


def test_no_prompt_meets_more_than_two_faults_in_a_row() -> None:
    faults = Faults(parse_plan("server_error=1"))
    drawn = [faults.draw(b"prompt") for _ in range(9)]
    assert drawn == ["server_error", "server_error", None] * 3


def test_every_kind_comes_as_often_as_asked() -> None:
    faults = Faults(parse_plan(PLAN))
    first = [faults.draw(prompt) for prompt in prompts(20_000)]
    for kind in KINDS:
        asked = getattr(faults.plan, kind)
        spread = (asked * (1 - asked) / 20_000) ** 0.5
        assert first.count(kind) / 20_000 == pytest.approx(asked, abs=4 * spread)


def test_faults_repeat_and_do_not_depend_on_other_prompts() -> None:
    one, two = Faults(parse_plan(PLAN)), Faults(parse_plan(PLAN))
    forward = {p: [one.draw(p) for _ in range(5)] for p in prompts(50)}
    backward = {p: [two.draw(p) for _ in range(5)] for p in reversed(prompts(50))}
    assert forward == backward
    assert len({tuple(kinds) for kinds in forward.values()}) > 10
    runs = [fault for kinds in forward.values() for fault in pairwise(kinds)]
    assert any(a and not b for a, b in runs)


def test_hallucination_is_for_good_and_as_often_as_asked() -> None:
    faults = Faults(parse_plan("hallucinate=.3"))
    first = [faults.hallucinates(prompt) for prompt in prompts(5_000)]
    assert sum(first) / 5_000 == pytest.approx(0.3, abs=4 * (0.21 / 5_000) ** 0.5)
    assert [faults.hallucinates(prompt) for prompt in prompts(5_000)] == first


def test_nothing_goes_wrong_unless_asked() -> None:
    faults = Faults(parse_plan(""))
    assert faults.plan == FaultPlan()
    assert {faults.draw(prompt) for prompt in prompts(1_000)} == {None}


@pytest.mark.parametrize(
    "text", ["explode=.1", "drop=2", "drop=x", "drop", "drop=.1,drop=.1", "drop=.6,malformed=.6"]
)
def test_a_plan_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        parse_plan(text)
