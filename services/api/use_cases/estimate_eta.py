"""How long a job will still take: by its own rates, its dataset's past, and everybody's.

A stage that runs and counts tells by the pace of the last minute, so that neither a pause nor a
slow beginning weighs for ever. Any other is planned from stages of its name that have ended: what
they took, scaled by how much they had to do, first those of the same dataset. Where nothing tells,
nothing is said.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from statistics import median

from services.api.use_cases.stage_work import WORK, Size, expected, of_past, usual_epochs
from services.shared.db.repos.history import Past
from services.shared.db.tables import Run, Stage
from services.shared.rates import Pace, pace
from services.shared.stages import WAITS_FOR, StageName

START_SECONDS = {StageName.EMBED: 0.5, StageName.RATE: 1.0}
LEAST_START_SECONDS, MOST_START_SECONDS = 2.0, 20.0
MOST_START_SHARE = 0.5
"""Of a stage's time a part is its process: it does not grow with the work.

It is read off the shortest stage of the same run, for a busy machine starts slowly, too.
"""

MORE_EPOCHS_SHARE = 0.25
"""Of the epochs up to the cap, what is left of a training that goes on longer than is usual."""

NEAREST = 3
"""As many past stages, the nearest in size, are asked; the middle one's word is taken."""

MOST_CORRECTED = 6.0
"""This machine may be so much slower or faster than it was; more is taken for chance."""

SILENT_SECONDS = 60.0
"""After which rates of calls no longer stand: the endpoint is away, or nobody works."""

OVERDUE_SHARE = 0.1
"""What is left, of the time it has run, of a stage that should have ended by now."""

EARLY_SHARE = 0.25
"""Of the calls: before it the share that the cache answers is not yet known."""

BY_CALLS = frozenset({StageName.EMBED, StageName.RATE})


@dataclass(frozen=True, kw_only=True)
class History:
    """What has ended before: of this dataset, and anywhere; both newest first."""

    dataset: Sequence[Past] = ()
    anywhere: Sequence[Past] = ()
    uploaded: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Eta:
    """Seconds that are left, None where nobody knows, and in a sentence why so."""

    seconds: float | None
    basis: str


@dataclass(frozen=True)
class _Seen:
    """A stage of the past."""

    seconds: float
    work: float | None
    fixed: float  # of the seconds, what does not grow with the work
    llm: str = ""


def run_eta(run: Run, stages: Sequence[Stage], history: History, now: datetime) -> Eta:
    """Return the seconds along the longest path of what is left."""
    pasts = [*history.dataset, *history.anywhere]
    size = expected(run, stages, history.dataset, history.uploaded, usual=usual_epochs(pasts))
    plan = _plan(run, stages, size, history)
    epochs = {StageName.TRAIN: size.epochs, StageName.TRAIN_RAW: size.raw_epochs}
    left = {
        name: _left(stage, plan[name], epochs.get(name), now)
        for stage in stages
        for name in [StageName(stage.name)]
    }
    unknown = [name for name, seconds in left.items() if seconds is None]
    if unknown or not left:
        return Eta(None, _why_unknown(unknown, stages, now))
    waiting = any(stage.finished_at is None and stage.state != "running" for stage in stages)
    seconds = longest({name.value: some or 0.0 for name, some in left.items()})
    return Eta(round(seconds, 1), _basis(history, waiting=waiting))


def longest(seconds: Mapping[str, float]) -> float:
    """Return the seconds along the longest path of the stage graph; a stage left out takes none."""

    @cache
    def end(name: StageName) -> float:
        before = max((end(needed) for needed in WAITS_FOR[name]), default=0.0)
        return before + seconds.get(name.value, 0.0)

    return max(end(name) for name in WAITS_FOR)


def by_rate(
    progress: Mapping[str, object], started_at: datetime | None, now: datetime
) -> float | None:
    """Return elapsed time over completed, times what is left; None before anything is completed."""
    total, completed = progress.get("total"), progress.get("completed")
    if started_at is None or not isinstance(total, int) or not isinstance(completed, int):
        return None
    if not 0 < completed <= total:
        return None
    return round((now - started_at).total_seconds() / completed * (total - completed), 1)


def import_eta(
    size_bytes: int, past: Sequence[tuple[int, float]], started_at: datetime | None, now: datetime
) -> Eta:
    """Return what is left of an import by the bytes per second of earlier ones of its kind."""
    if not past:
        return Eta(None, "Unknown: no import of this kind has ended here yet.")
    seen = [_Seen(took, float(size), min(took, LEAST_START_SECONDS)) for size, took in past]
    whole = _scaled(seen, float(size_bytes))
    elapsed = 0.0 if started_at is None else (now - started_at).total_seconds()
    return Eta(round(_remaining(whole or 0.0, elapsed), 1), "From earlier imports, by bytes.")


def _plan(
    run: Run, stages: Sequence[Stage], size: Size, history: History
) -> dict[StageName, float | None]:
    """Return what each stage should take, corrected by how the ended ones did on this machine."""
    plain = {name: _planned(name, run, size, history) for name in WORK}
    pairs = [
        ((stage.finished_at - stage.started_at).total_seconds(), plain[StageName(stage.name)])
        for stage in stages
        if stage.finished_at is not None
        and stage.started_at is not None
        and StageName(stage.name) not in BY_CALLS
    ]
    compared = [(took, told) for took, told in pairs if told]
    if not compared:
        return plain
    ratio = sum(took for took, _ in compared) / sum(told for _, told in compared)
    slower = min(max(ratio, 1 / MOST_CORRECTED), MOST_CORRECTED)
    return {
        name: told if told is None or name in BY_CALLS else told * slower
        for name, told in plain.items()
    }


def _planned(name: StageName, run: Run, size: Size, history: History) -> float | None:
    work = WORK[name](size)
    for pasts in (history.dataset, history.anywhere):
        seen = list(_seen(name, pasts))
        if name is StageName.RATE:
            seen = [one for one in seen if one.llm == run.llm] or seen
        told = _scaled(seen, work)
        if told is not None:
            return told
        if pasts is history.dataset and seen:  # of the same data, though nobody counted it
            return seen[0].seconds
    return None


def _seen(name: StageName, pasts: Sequence[Past]) -> Iterable[_Seen]:
    for past in pasts:
        took = past.stages.get(name.value)
        if took is not None:
            work = WORK[name](of_past(past))
            yield _Seen(took.seconds, work, _fixed(name, past), past.llm)


def _fixed(name: StageName, past: Past) -> float:
    own = past.stages[name.value].seconds
    if name in BY_CALLS:
        return min(own, START_SECONDS[name])
    shortest = min(
        took.seconds for other, took in past.stages.items() if StageName(other) not in BY_CALLS
    )
    start = min(shortest, MOST_START_SECONDS, MOST_START_SHARE * own)
    return min(own, max(start, LEAST_START_SECONDS))


def _scaled(seen: Sequence[_Seen], work: float | None) -> float | None:
    """Return the middle of what the nearest in size say; None without any, or without a size."""
    if work is None:
        return None
    sized = [(one, one.work) for one in seen if one.work is not None]
    near = sorted(sized, key=lambda pair: abs(math.log((work + 1) / (pair[1] + 1))))[:NEAREST]
    if not near:
        return None
    told = []
    for one, had in near:
        growing = one.seconds - one.fixed
        told.append(one.fixed + (growing * work / had if had else 0.0))
    return median(told)


def _left(stage: Stage, planned: float | None, epochs: float | None, now: datetime) -> float | None:
    if stage.finished_at is not None:
        return 0.0
    if stage.state != "running" or stage.started_at is None:
        return planned
    if _is_silent(stage, now):
        return None
    told = _by_pace(stage, planned, epochs, now)
    if told is not None or planned is None:
        return told
    return _remaining(planned, (now - stage.started_at).total_seconds())


def _by_pace(
    stage: Stage, planned: float | None, epochs: float | None, now: datetime
) -> float | None:
    """Return what the stage's own counts say; None where it has none yet.

    A training that is stopped early is expected to be so after the usual number of `epochs`.
    """
    total, completed = stage.progress.get("total") or 0, stage.progress.get("completed") or 0
    if not 0 < completed <= total:
        return None
    left = float(total - completed)
    if epochs is not None:
        left = min(left, max(epochs - completed, MORE_EPOCHS_SHARE * left))
    going = pace(stage.marks or ())
    if going is not None:
        seconds = _at_pace(going, stage.progress, left, completed / total)
        return max(0.0, seconds - max(0.0, now.timestamp() - going.until))
    if planned is not None and stage.marks:
        return planned * left / total
    return by_rate(stage.progress, stage.started_at, now)


def _at_pace(going: Pace, progress: Mapping[str, int], left: float, share: float) -> float:
    if share < EARLY_SHARE or not going.asked:
        return left * going.seconds / going.completed
    asked = 1 - (progress.get("cached") or 0) / progress["completed"]
    return left * asked * going.seconds / going.asked


def _is_silent(stage: Stage, now: datetime) -> bool:
    """Say whether calls that were counted have stopped coming."""
    marks = stage.marks or []
    by_calls = StageName(stage.name) in BY_CALLS and bool(marks)
    return by_calls and now.timestamp() - marks[-1][0] > SILENT_SECONDS


def _remaining(whole: float, elapsed: float) -> float:
    return max(whole - elapsed, OVERDUE_SHARE * elapsed)


def _why_unknown(unknown: Sequence[StageName], stages: Sequence[Stage], now: datetime) -> str:
    if any(stage.state == "running" and _is_silent(stage, now) for stage in stages):
        return "Unknown: no call was answered for a minute."
    if not unknown:
        return "Unknown: the job has no stages."
    return f"Unknown: no ended run tells yet what the stage {unknown[0]} takes."


def _basis(history: History, *, waiting: bool) -> str:
    if not waiting:
        return "From this run's own pace."
    if history.dataset:
        return "From this run's own pace and earlier runs of the dataset, scaled by size."
    return "From this run's own pace and runs of other datasets, scaled by size."
