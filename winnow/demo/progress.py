"""A job as a person sees it: stages, a bar, an ETA; plain lines where no terminal listens."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

Json = dict[str, Any]
DONE = frozenset({"succeeded", "skipped"})
PLAIN_EVERY = 15.0  # seconds between two plain lines when no stage changes


@dataclass(frozen=True, kw_only=True)
class StageLine:
    """One stage; `share` is what is done of it, from 0 to 1."""

    name: str
    state: str
    share: float
    seconds: float | None


def stage_lines(job: Json) -> list[StageLine]:
    """Return the job's stages in its order."""
    return [
        StageLine(
            name=stage["name"],
            state=stage["state"],
            share=_share(stage),
            seconds=stage.get("seconds"),
        )
        for stage in job.get("stages") or []
    ]


def overall(job: Json) -> float:
    """Return what is done of the job, 0 to 1: the mean over its stages, or its own counts."""
    stages = stage_lines(job)
    if job["state"] == "succeeded":
        return 1.0
    if not stages:
        return _counted(job.get("progress"))
    return sum(stage.share for stage in stages) / len(stages)


def eta_seconds(job: Json, *, elapsed: float) -> float | None:
    """Return the seconds left: the server's word, else by the share that `elapsed` took."""
    told = job.get("eta_seconds")
    if told is not None:
        return float(told)
    share = overall(job)
    return elapsed * (1.0 - share) / share if share > 0.02 else None


def duration(seconds: float | None) -> str:
    """Return seconds as 3.2 s, 4 min 05 s or 1 h 02 min; a dash where unknown."""
    if seconds is None:
        return "–"  # noqa: RUF001 - a dash is meant
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def plain_line(job: Json, *, elapsed: float) -> str:
    """Return one line that tells the running stages, the share done and the ETA."""
    running = [
        f"{stage.name} {stage.share:.0%}" for stage in stage_lines(job) if stage.state == "running"
    ]
    left = eta_seconds(job, elapsed=elapsed)
    now = ", ".join(running) or job["state"]
    return f"[{duration(elapsed)}] {overall(job):.0%} done, {duration(left)} left: {now}"


def board(job: Json, *, elapsed: float) -> RenderableType:
    """Return the live picture: a line a stage, then the bar with its ETA."""
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    for stage in stage_lines(job):
        bar = ProgressBar(total=1.0, completed=stage.share, width=24)
        table.add_row(stage.name, stage.state, bar, duration(stage.seconds))
    left = duration(eta_seconds(job, elapsed=elapsed))
    table.add_row(
        "run",
        job["state"],
        ProgressBar(total=1.0, completed=overall(job), width=24),
        f"{left} left",
    )
    return Group(table)


class Watch:
    """Shows a job while it is waited for; give `show` to the client's `wait`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, transient=True) if console.is_terminal else None
        self._begun = time.monotonic()
        self._said = -PLAIN_EVERY
        self._states: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, job: Json) -> None:
        """Show the job as it now stands."""
        elapsed = time.monotonic() - self._begun
        if self._live:
            self._live.update(board(job, elapsed=elapsed))
        elif self._is_news(job, elapsed):
            self._console.print(plain_line(job, elapsed=elapsed), markup=False, highlight=False)

    def _is_news(self, job: Json, elapsed: float) -> bool:
        states = [(stage.name, stage.state) for stage in stage_lines(job)]
        if states == self._states and elapsed - self._said < PLAIN_EVERY:
            return False
        self._states, self._said = states, elapsed
        return True


def _share(stage: Json) -> float:
    return 1.0 if stage["state"] in DONE else _counted(stage.get("progress"))


def _counted(progress: Json | None) -> float:
    total = (progress or {}).get("total") or 0
    return min(1.0, (progress or {}).get("completed", 0) / total) if total else 0.0
