"""How long a job will still take, from its own rates and from the dataset's last run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

from services.shared.db.tables import Stage
from services.shared.stages import WAITS_FOR, StageName

Seconds = Mapping[str, float]


def run_eta(stages: Sequence[Stage], history: Seconds, now: datetime) -> float | None:
    """Return the seconds along the longest path of what is left; None where a stage is unknown.

    A running stage tells by its progress, a waiting one (and a running one without counts) by
    what it took in `history`, the stages of the dataset's last finished run.
    """
    left = {stage.name: _left(stage, history, now) for stage in stages}
    if not left or any(seconds is None for seconds in left.values()):
        return None
    return longest({name: seconds or 0.0 for name, seconds in left.items()})


def longest(seconds: Seconds) -> float:
    """Return the seconds along the longest path of the stage graph; a stage left out takes none."""

    @cache
    def end(name: StageName) -> float:
        before = max((end(needed) for needed in WAITS_FOR[name]), default=0.0)
        return before + seconds.get(name.value, 0.0)

    return round(max(end(name) for name in WAITS_FOR), 1)


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


def _left(stage: Stage, history: Seconds, now: datetime) -> float | None:
    if stage.finished_at is not None:
        return 0.0
    told = by_rate(stage.progress, stage.started_at, now) if stage.state == "running" else None
    if told is not None or stage.name not in history:
        return told
    elapsed = 0.0 if stage.started_at is None else (now - stage.started_at).total_seconds()
    return max(0.0, history[stage.name] - elapsed)
