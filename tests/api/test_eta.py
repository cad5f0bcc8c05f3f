"""The time that is left: from a run's own pace, its dataset's past and everybody's; else null."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.api.use_cases.estimate_eta import Eta, History, import_eta, run_eta
from services.api.use_cases.stage_work import WORK
from services.shared.db.repos.history import Past, Took
from services.shared.db.tables import Run, Stage
from services.shared.stages import WAITS_FOR, StageName

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LLM = "winnow-local-rater"
FIGURES: dict[str, dict[str, Any]] = {
    "snapshot": {"rows": 1000, "train": 700, "users": 100, "items": 50},
    "embed": {"texts": 150, "embedded": 150},
    "candidates": {"pairs": 200},
    "rate": {"calls": 400, "cached": 0},
    "train_raw": {"epochs": 12},
    "train": {"epochs": 12},
}
SHOP_PARAMS = {"n1": 2, "n2": 4, "epochs": 30, "patience": 8}
UPLOADED = {"interactions": 1000, "users": 100, "items": 50}


def past(*, times: float = 1, llm: str = LLM, seconds: float = 12.0) -> Past:
    """Return a run whose data were so many times as large, each stage of which took so long."""
    figures = {
        stage: {name: value if name == "epochs" else value * times for name, value in told.items()}
        for stage, told in FIGURES.items()
    }
    return Past(llm, {name: Took(seconds, figures.get(name, {})) for name in StageName})


def run(**spec: object) -> Run:
    return Run(llm=LLM, spec={"budget_pairs": 10_000, **spec})


def stages(**states: Mapping[str, Any]) -> list[Stage]:
    """Return a run's stages, each waiting unless told otherwise."""
    return [
        Stage(
            name=name.value,
            **{"state": "waiting", "figures": {}, "progress": {}, "marks": []}
            | dict(states.get(name.value, {})),
        )
        for name in StageName
    ]


def done(name: str, seconds: float = 12.0) -> dict[str, Any]:
    return {
        "state": "succeeded",
        "figures": FIGURES.get(name, {}),
        "started_at": NOW - timedelta(seconds=seconds + 60),
        "finished_at": NOW - timedelta(seconds=60),
    }


def running(
    *,
    total: int = 400,
    completed: int = 0,
    cached: int = 0,
    ago: float = 60.0,
    marks: object = (),
) -> dict[str, Any]:
    counts = {"total": total, "completed": completed, "failed": 0, "cached": cached}
    begun = NOW - timedelta(seconds=ago)
    return {"state": "running", "started_at": begun, "progress": counts, "marks": marks}


def only(name: str, values: dict[str, Any]) -> list[Stage]:
    """Return stages of which all but one have ended."""
    rest = {other.value: done(other.value) for other in StageName if other.value != name}
    return stages(**rest, **{name: values})


def mark(ago: float, completed: int, cached: int = 0) -> list[float]:
    return [NOW.timestamp() - ago, completed, cached]


def left(told: Eta) -> float:
    assert told.seconds is not None, told.basis
    return told.seconds


def test_every_stage_has_its_unit() -> None:
    assert WORK.keys() == set(StageName) == set(WAITS_FOR)


def test_without_any_past_nothing_is_said_but_why() -> None:
    told = run_eta(run(), stages(), History(uploaded=UPLOADED), NOW)
    assert told == Eta(None, "Unknown: no ended run tells yet what the stage snapshot takes.")


def test_a_datasets_first_run_is_told_by_runs_of_others_scaled_by_size() -> None:
    asked = run(params={"n1": 1, "n2": 1})  # 200 pairs of 100 users
    same = run_eta(asked, stages(), History(anywhere=[past()], uploaded=UPLOADED), NOW)
    assert left(same) == pytest.approx(9 * 12)  # the longest path has nine stages
    ten = {kind: 10 * rows for kind, rows in UPLOADED.items()}
    larger = run_eta(asked, stages(), History(anywhere=[past()], uploaded=ten), NOW)
    # half of twelve seconds grows, but all but half a second of embed's and a second of rate's
    tenfold = {"snapshot": 66, "embed": 115.5, "align": 66, "candidates": 66, "rate": 111}
    tenfold |= {"refine": 66, "train": 66, "evaluate": 606, "publish": 606}  # users x items
    assert left(larger) == pytest.approx(sum(tenfold.values()))
    assert larger.basis.startswith("From this run's own pace and runs of other datasets")


def test_the_datasets_own_past_is_preferred_and_the_nearest_in_size_tells() -> None:
    history = History(
        dataset=[past(seconds=12), past(times=50, seconds=900)], anywhere=[past(seconds=400)]
    )
    told = run_eta(run(), stages(), history, NOW)
    assert left(told) < 9 * 500
    assert "earlier runs of the dataset" in told.basis


def test_a_past_without_figures_is_taken_as_it_was() -> None:
    bare = Past(LLM, {name: Took(10.0, {}) for name in StageName})
    told = run_eta(run(), stages(), History(dataset=[bare]), NOW)
    assert left(told) == pytest.approx(9 * 10)


def test_a_machine_that_proves_slower_is_expected_to_stay_so() -> None:
    history = History(dataset=[past()])
    as_planned = run_eta(run(), stages(snapshot=done("snapshot", 12)), history, NOW)
    twice = run_eta(run(), stages(snapshot=done("snapshot", 24)), history, NOW)
    absurd = run_eta(run(), stages(snapshot=done("snapshot", 12_000)), history, NOW)
    assert 1.5 < left(twice) / left(as_planned) <= 2.0
    assert left(absurd) / left(as_planned) <= 6.0


def test_rating_goes_by_its_last_minute_not_by_its_beginning() -> None:
    # an hour ago it began; half was done before a long pause, now it makes two calls a second
    marks = [mark(50, 200), mark(0, 300)]
    rate = running(completed=300, ago=3600, marks=marks)
    told = run_eta(run(), only("rate", rate), History(dataset=[past()]), NOW)
    assert told == Eta(50.0, "From this run's own pace.")


def test_what_the_cache_will_answer_takes_no_time() -> None:
    marks = [mark(50, 100, 80), mark(0, 200, 150)]  # 30 asked in 50 s; 3 of 4 come from the cache
    rate = running(completed=200, cached=150, marks=marks)
    told = run_eta(run(), only("rate", rate), History(dataset=[past()]), NOW)
    assert left(told) == pytest.approx(200 * 0.25 * 50 / 30, rel=0.01)


def test_the_time_since_the_last_mark_counts() -> None:
    rate = running(completed=300, marks=[mark(70, 200), mark(20, 300)])
    told = run_eta(run(), only("rate", rate), History(dataset=[past()]), NOW)
    assert left(told) == pytest.approx(30)


def test_when_no_call_is_answered_for_a_minute_nobody_knows() -> None:
    rate = running(completed=300, marks=[mark(200, 200), mark(150, 300)])
    told = run_eta(run(), only("rate", rate), History(dataset=[past()]), NOW)
    assert told == Eta(None, "Unknown: no call was answered for a minute.")


def test_a_training_that_takes_minutes_an_epoch_is_not_silent() -> None:
    epochs = running(total=12, completed=3, marks=[mark(900, 2), mark(300, 3)])
    told = run_eta(run(), only("train", epochs), History(dataset=[past()]), NOW)
    assert left(told) == pytest.approx(9 * 600 - 300)


@pytest.mark.parametrize(("completed", "seconds"), [(6, 60), (20, 25)])
def test_a_training_is_expected_to_stop_when_those_before_did(
    completed: int, seconds: float
) -> None:
    marks = [mark(50, completed - 5), mark(0, completed)]  # ten seconds an epoch, 30 at most
    epochs = running(total=30, completed=completed, marks=marks)
    told = run_eta(run(), only("train", epochs), History(dataset=[past()]), NOW)  # 12 were enough
    assert left(told) == pytest.approx(seconds)


def test_a_stage_that_should_have_ended_is_never_said_to_be_over() -> None:
    late = running(ago=1000)
    late["progress"] = {}
    told = run_eta(run(), only("align", late), History(dataset=[past()]), NOW)
    assert left(told) == pytest.approx(100)


def test_a_first_mark_is_no_pace_yet_so_the_plan_stands_for_what_is_left() -> None:
    rate = running(completed=200, ago=2, marks=[mark(0, 200)])
    told = run_eta(run(), only("rate", rate), History(dataset=[past()]), NOW)
    assert left(told) == pytest.approx(6, rel=0.1)


def test_ratings_of_the_same_model_tell_before_those_of_another() -> None:
    history = History(anywhere=[past(llm="slow-model", seconds=9000), past(seconds=12)])
    candidates = only("rate", {})
    assert left(run_eta(run(), candidates, history, NOW)) == pytest.approx(12, rel=0.1)


def test_an_import_goes_by_the_bytes_of_earlier_ones() -> None:
    seen = [(1_000_000, 12.0), (10_000_000, 102.0)]
    begun = NOW - timedelta(seconds=4)
    assert left(import_eta(1_000_000, seen, begun, NOW)) == pytest.approx(8, abs=0.5)
    assert left(import_eta(2_000_000, seen, None, NOW)) == pytest.approx(22, abs=0.5)
    assert import_eta(5, [], begun, NOW).seconds is None


def recorded() -> list[dict[str, Any]]:
    """Return real runs on generated bookshops, their stages with seconds and figures."""
    path = Path(__file__).with_name("recorded_runs.json")
    return list(json.loads(path.read_text(encoding="utf-8")))


def as_past(one: dict[str, Any]) -> Past:
    took = {name: Took(each["seconds"], each["figures"]) for name, each in one["stages"].items()}
    return Past(LLM, took)


def longest_path(one: dict[str, Any]) -> float:
    def end(name: StageName) -> float:
        before = max((end(needed) for needed in WAITS_FOR[name]), default=0.0)
        return before + float(one["stages"][name.value]["seconds"])

    return end(StageName.PUBLISH)


def told_at_start_and_later(one: dict[str, Any], before: list[Past]) -> tuple[float, float, float]:
    """Return the estimate before the run, the one once its candidates stand, and the truth then."""
    asked = run(budget_pairs=6000, params=SHOP_PARAMS)
    history = History(anywhere=before, uploaded=_uploaded(one))
    first = left(run_eta(asked, stages(), history, NOW))
    ended = ("snapshot", "embed", "pretrain", "align", "candidates")
    begun = {
        name: {
            "state": "succeeded",
            "figures": one["stages"][name]["figures"],
            "started_at": NOW - timedelta(seconds=one["stages"][name]["seconds"]),
            "finished_at": NOW,
        }
        for name in ended
    }
    later = left(run_eta(asked, stages(**begun), history, NOW))
    rest = {
        name: each | {"seconds": 0.0 if name in ended else each["seconds"]}
        for name, each in one["stages"].items()
    }
    return first, later, longest_path({"stages": rest})


def _uploaded(one: dict[str, Any]) -> dict[str, int]:
    figures = one["stages"]["snapshot"]["figures"]
    return {
        "interactions": figures["rows"],
        "users": figures["users"],
        "items": figures["items"],
    }


def test_recorded_runs_on_one_machine_tell_of_each_other_within_a_factor_of_two() -> None:
    small, large, _ = recorded()
    for one, other in ((small, large), (large, small)):
        first, later, rest = told_at_start_and_later(one, [as_past(other)])
        assert 1 / 2 < first / longest_path(one) < 2
        assert 1 / 2 < later / rest < 2


def test_a_run_told_by_one_on_another_machine_is_corrected_by_its_own_stages() -> None:
    busy, _, quiet = recorded()  # the same stages took ten times as long on the busy one
    first, later, rest = told_at_start_and_later(busy, [as_past(quiet)])
    assert first / longest_path(busy) < 1 / 4
    assert 1 / 4 < later / rest < 2
    assert later / rest > 1.3 * first / longest_path(busy)
