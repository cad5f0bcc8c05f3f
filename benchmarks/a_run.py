"""One real run on the generated bookshop, from both prompts of one pair to every stage's figures.

    python -m benchmarks.a_run [--home FOLDER] [--out docs/a-run.md] [--seed 0]

Starts the embedded stack, or uses the one that runs in FOLDER, and writes the page. The run's
figures come from the API, the two answers from the database; a prompt is shown only if its cache
key is the one that its rating is kept under, so it is what the rater was asked.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from benchmarks.run_page import Asked, Seen, page
from services.llm_worker.ask import request_for
from services.shared.db.repos import prompts
from services.shared.db.tables import Candidate, Rating, Run, RunRating
from services.shared.llm.cache_key import rating_key
from services.shared.llm.prompts import (
    ItemQuestion,
    PromptTemplate,
    Question,
    UserQuestion,
    render,
)
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
    with _session(stack) as session:
        run = session.get_one(Run, UUID(run_id))
        pair = session.get_one(Candidate, (run.id, verdict["user_id"], verdict["item_id"]))
        templates = prompts.templates(session, run.prompt_version)
        for question in _questions(pair, source):
            yield _answered(session, run, pair, question, templates[question.view])


def _answered(
    session: Session, run: Run, pair: Candidate, question: Question, template: PromptTemplate
) -> Asked:
    """Return the question with its rating; it must be the very one that was asked."""
    limit = Limits().prompt_text_chars
    parameters = request_for([], model=run.llm).parameters()
    key = rating_key(
        template=template,
        question=question,
        model=run.llm,
        parameters=parameters,
        max_chars=limit,
    )
    rating = session.scalars(
        select(Rating)
        .join(RunRating, RunRating.rating_id == Rating.id)
        .where(RunRating.run_id == run.id, RunRating.view == question.view)
        .where(RunRating.user_id == pair.user_id, RunRating.item_id == pair.item_id)
    ).one()
    if key != rating.content_sha256:
        raise SystemExit(f"The {question.view} view was not asked with these texts.")
    return Asked(
        view=question.view,
        messages=render(template, question, max_chars=limit),
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


if __name__ == "__main__":
    main()
