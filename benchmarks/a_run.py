"""One real run on the generated bookshop, from both prompts of one pair to every stage's figures.

    python -m benchmarks.a_run [--home FOLDER] [--out docs/a-run.md] [--seed 0]

Starts the embedded stack, or uses the one that runs in FOLDER, and writes the page. Each figure on
it comes from the API; a prompt is shown only if its cache key is the one that its rating is kept
under, so it is what the rater was asked.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from services.llm_worker.ask import request_for
from services.shared.db.repos import prompts
from services.shared.db.tables import Candidate, Rating, Run, RunRating
from services.shared.llm.cache_key import rating_key
from services.shared.llm.prompts import ItemQuestion, Message, Question, UserQuestion, render
from services.shared.settings import Limits
from winnow.addresses import DATABASE
from winnow.demo import drive
from winnow.demo.choices import flagged
from winnow.demo.memory import PeakMemory
from winnow.demo.sources import Source, bookshop
from winnow.embedded.postgres import Postgres
from winnow.stack import Stack
from winnow_client import Client

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
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


def main() -> None:
    """Run, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--home", type=Path, help="a stack's folder; else a temporary one")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "a-run.md")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="winnow-a-run-") as own:
        stack = Stack(options.home or Path(own) / "home", tell=print)
        source = bookshop(Path(own) / "shop", seed=options.seed)
        seen = _observed(stack, source, seed=options.seed)
    options.out.write_text("\n".join(page(seen)) + "\n", encoding="utf-8")
    print(f"Wrote {options.out}.")


def _observed(stack: Stack, source: Source, *, seed: int) -> Seen:
    """Bring the stack up, run, look at everything, and leave the stack as it was found."""
    was_up = all(process.state == "running" for process in stack.status())
    with PeakMemory() as memory:
        endpoints = stack.up()
        try:
            memory.watch(endpoints.pids.values())
            access = drive.new_access(endpoints.api_url, endpoints.operator_key, name=source.name)
            with Client(endpoints.api_url, access.key) as client:
                told = _told(client, source, seed=seed)
            asked = list(_asked(stack, told["job"]["id"], told["verdict"], source))
        finally:
            if not was_up:
                stack.down()
    return Seen(source=source, asked=asked, peak_bytes=memory.peak, **told)


def _told(client: Client, source: Source, *, seed: int) -> Json:
    """Return what the API tells of the uploads, the run, its model and the most suspicious edge."""
    dataset = drive.new_dataset(client, name=source.name, seed=seed)
    imports = {one.kind: drive.bring_in(client, dataset, one)["result"] for one in source.uploads}
    job = drive.run(client, dataset, source, seed=seed, show=lambda _job: None)
    verdicts = list(client.verdicts(dataset, run=job["id"], verdict="noise"))
    return {
        "imports": imports,
        "job": job,
        "card": drive.card_of(client, job),
        "verdict": flagged(verdicts, "noise", count=1)[0],
    }


def _asked(stack: Stack, run_id: str, verdict: Json, source: Source) -> Iterator[Asked]:
    """Yield both views of the verdict's pair as they were asked and answered."""
    pair = verdict["user_id"], verdict["item_id"]
    with _session(stack) as session:
        run = session.get_one(Run, UUID(run_id))
        candidate = session.get_one(Candidate, (run.id, *pair))
        templates = prompts.templates(session, run.prompt_version)
        for question in _questions(candidate, source):
            template, max_chars = templates[question.view], Limits().prompt_text_chars
            rating = session.scalars(
                select(Rating)
                .join(RunRating, RunRating.rating_id == Rating.id)
                .where(RunRating.run_id == run.id, RunRating.view == question.view)
                .where(RunRating.user_id == pair[0], RunRating.item_id == pair[1])
            ).one()
            key = rating_key(
                template=template,
                question=question,
                model=run.llm,
                parameters=request_for([], model=run.llm).parameters(),
                max_chars=max_chars,
            )
            if key != rating.content_sha256:
                raise SystemExit(f"The {question.view} view was not asked with these texts.")
            yield Asked(
                view=question.view,
                messages=render(template, question, max_chars=max_chars),
                label=rating.label,
                reason=rating.reason,
                prompt_tokens=rating.prompt_tokens,
                completion_tokens=rating.completion_tokens,
            )


def _questions(candidate: Candidate, source: Source) -> tuple[Question, Question]:
    texts = {
        kind: {row["id"]: row["text"] for row in _rows(source.folder / f"{kind}.ndjson")}
        for kind in ("users", "items")
    }
    item = texts["items"][candidate.item_id]
    shelf = (one for one in candidate.history if one != candidate.item_id)
    return (
        UserQuestion(user=texts["users"][candidate.user_id], item=item),
        ItemQuestion(liked=tuple(texts["items"][one] for one in shelf), item=item),
    )


def _rows(path: Path) -> Iterator[Json]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _session(stack: Stack) -> Session:
    """Return a session of the superuser's, who sees every project."""
    home = stack.home
    server = Postgres(
        folder=home.folder / "postgres",
        port=home.ports()["postgres"],
        password=home.secret("admin"),
    )
    return Session(create_engine(server.url(database=DATABASE)))


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
        f"the last 5 minutes was {os.getloadavg()[1]:.1f}: above the number of cores, every time "
        "below is longer than on an idle machine."
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
        "Memory is the most that the stage's process ever held. The histograms of `evaluate` "
        "are in the noise report."
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
        f"{without['removed']} validation pairs that a verdict speaks against are left out of "
        "`val without noise`, which decides nothing."
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


if __name__ == "__main__":
    main()
