"""The pace of the last minute: what was long ago, and what was cached, weighs nothing."""

from services.shared.rates import WINDOW_SECONDS, Pace, marked, pace


def counts(completed: int, cached: int = 0) -> dict[str, int]:
    return {"total": 1000, "completed": completed, "failed": 0, "cached": cached}


def test_marks_span_a_minute_and_are_few() -> None:
    marks: list[list[float]] = []
    for second in range(600):
        marks = marked(marks, counts(second), 1000.0 + second)
    assert len(marks) <= 17
    assert 50 <= marks[-1][0] - marks[0][0] <= WINDOW_SECONDS
    going = pace(marks)
    assert going is not None
    assert going.completed / going.seconds == 1.0


def test_a_pause_leaves_the_pace_as_soon_as_work_goes_on() -> None:
    marks = marked(marked([], counts(0), 0.0), counts(100), 10.0)
    for second in range(3600, 3630):  # an hour later, twice as fast
        marks = marked(marks, counts(100 + 20 * (second - 3600)), float(second))
    going = pace(marks)
    assert going is not None
    assert 19 < going.completed / going.seconds < 21


def test_rare_counts_still_have_a_pace() -> None:
    marks: list[list[float]] = []
    for epoch in range(5):  # ten minutes an epoch
        marks = marked(marks, counts(epoch), 600.0 * epoch)
    assert pace(marks) == Pace(600.0, 1, 1, 2400.0)


def test_another_attempt_begins_anew() -> None:
    marks = marked(marked([], counts(500), 0.0), counts(600), 10.0)
    assert marked(marks, counts(3), 20.0) == [[20.0, 3, 0]]


def test_what_the_cache_answered_was_not_asked() -> None:
    marks = marked(marked([], counts(0), 0.0), counts(100, cached=80), 10.0)
    assert pace(marks) == Pace(10.0, 100, 20, 10.0)


def test_nothing_done_has_no_pace() -> None:
    assert pace([]) is None
    assert pace([[0.0, 5, 0]]) is None
    assert pace([[0.0, 5, 0], [10.0, 5, 0]]) is None
