"""The page of one real run: prompts, answers, stages, metrics; pure but for the machine's facts."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from services.shared.llm.prompts import Message
from winnow.demo.sources import Source

Json = dict[str, Any]

BELOW = frozenset({"metrics", "val_without_noise"})  # figures with a table of their own
NOT_HERE = frozenset({"histograms"})  # figures of the noise report
SHOWN = ("recall@10", "ndcg@10", "recall@20", "ndcg@20")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One view of the pair: what was sent, and what came back."""

    view: str
    messages: list[Message]
    label: str
    reason: str
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that the page tells of the run."""

    source: Source
    imports: dict[str, Json]
    job: Json
    card: Json
    verdict: Json
    asked: list[Asked]
    peak_bytes: int


def page(seen: Seen) -> Iterator[str]:
    """Yield the page's lines."""
    command = shlex.join(["python", "-m", "benchmarks.a_run", *sys.argv[1:]])
    yield from ("# One real run", "", "Written by this command; no figure by hand:", "")
    yield from (f"    {command}", "", *_facts(seen), "")
    yield from ("## Every stage", "", *_stages(seen.job), "")
    yield from ("## What came of it", "", *_metrics(seen.card), "")
    yield from ("## One pair, asked twice", "", *_pair(seen))


def _facts(seen: Seen) -> Iterator[str]:
    job, usage = seen.job, seen.job["usage"]
    memory = psutil.virtual_memory().total / 2**30
    yield (
        f"Machine: {os.cpu_count()} cores ({_cpu()}), {memory:.0f} GiB of memory, "
        f"{platform.system()}, Python {platform.python_version()}. All processes together held "
        f"at most {seen.peak_bytes / 2**20:,.0f} MiB (summed PSS). The machine's load average over "
        f"the last 5 minutes was {os.getloadavg()[1]:.1f}: where that is above the "
        "number of cores, every time below is longer than on an idle machine."
    )
    yield ""
    counts = (f"{told['accepted']:,} {kind}" for kind, told in seen.imports.items())
    asked = ", ".join(f"{name} {value}" for name, value in seen.source.params.items())
    yield (
        f"Data: {seen.source.name}, {', '.join(counts)}. Asked for: {seen.card['method']} on "
        f"{seen.card['backbone']}, seed {seen.card['seed']}, at most "
        f"{seen.source.budget_pairs:,} pairs, {asked}; the rest are defaults."
    )
    yield ""
    seconds = _seconds(job["finished_at"]) - _seconds(job["started_at"])
    yield (
        f"The run took {seconds:.1f} s, asked `{seen.card['llm']}` and `{seen.card['embedder']}` "
        f"in {usage['requests']:,} requests with {usage['prompt_tokens']:,} prompt and "
        f"{usage['completion_tokens']:,} completion tokens, for {usage['usd']} USD."
    )


def _stages(job: Json) -> Iterator[str]:
    yield "| stage | seconds | peak memory, MiB | figures |"
    yield "|---|---:|---:|---|"
    for stage in job["stages"]:
        memory = stage["peak_memory_bytes"]
        shown = {k: v for k, v in stage["figures"].items() if k not in BELOW | NOT_HERE}
        figures = "; ".join(f"{name} {value}" for name, value in _flat(shown))
        yield (
            f"| {stage['name']} | {stage['seconds']:.1f} "
            f"| {'not measured' if memory is None else f'{memory / 2**20:.0f}'} | {figures} |"
        )
    yield ""
    yield (
        "Seconds run from the claim of a stage to its end, so stages side by side share them. "
        "Memory is the most that the stage's process ever held; `embed` and `rate` are both done "
        "by the llm_worker, whose one process it is. The histograms of `evaluate` "
        "are in the noise report. `graph` tells which graph's vectors validation preferred in "
        "a training."
    )


def _metrics(card: Json) -> Iterator[str]:
    yield f"| graph | split | {' | '.join(SHOWN)} |"
    yield f"|---|---|{'---:|' * len(SHOWN)}"
    without = card["val_without_noise"]
    for graph, parts in card["metrics"].items():
        rows = {**parts, "val without noise": without["metrics"].get(graph, {})}
        for part, means in rows.items():
            cells = " | ".join(f"{means[name]:.4f}" for name in SHOWN)
            yield f"| {graph} | {part} | {cells} |"
    yield ""
    yield (
        f"Validation decided that the {card['default_graph']} graph is served. "
        "Left out of `val without noise`, which decides nothing, are the validation pairs that a "
        f"verdict speaks against: {without['removed']}."
    )


def _pair(seen: Seen) -> Iterator[str]:
    row = seen.verdict
    title = seen.source.titles[row["item_id"]]
    yield (
        f"`{row['user_id']}` bought `{row['item_id']}` ({title}). Its suspicion score is "
        f"{row['score']:.4f}, and among the edges called noise none is lower. Verdict: "
        f"**{row['verdict']}**, action: **{row['action']}**, decided by: {row['decided_by']}."
    )
    for one in seen.asked:
        tokens = f"{one.prompt_tokens} prompt and {one.completion_tokens} completion tokens"
        yield from ("", f"### The {one.view} view", "")
        for message in one.messages:
            text = message["content"].splitlines()
            yield from (f"{message['role']}:", "", "~~~text", *text, "~~~", "")
        yield f"Answer ({tokens}): **{one.label}**. {one.reason}"


def _flat(figures: Json, prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _figure(value)


def _figure(value: object) -> str:
    if isinstance(value, list):
        return " → ".join(_figure(one) for one in (value[0], value[-1])) if value else "none"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
