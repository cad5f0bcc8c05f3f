"""What the tables' commands share: their options, the texts' vectors, the ratings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Any

import click

from services.recsys.data import Embeddings
from services.shared.errors import InvalidError
from services.shared.specs import RunSpec
from services.trainer.bench import corpus, published, rate, replay
from services.trainer.bench.corpus import Corpus
from services.trainer.bench.denoiser_rows import Texts
from services.trainer.bench.peers import tell
from services.trainer.bench.replay import Replay
from services.trainer.bench.resuming import resumes
from services.trainer.bench.rows import Row
from services.trainer.bench.schedule import Clock
from services.trainer.bench.tables import Table, fill

LOCAL = "local"
PAIRS = 20_000
"""Pairs that `--ratings local` asks about, n1 = 10 and n2 = 2 per user at most."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command of any table is told."""

    data: Path
    out: Path
    seeds: int
    ratings: Sequence[str] = ()
    users: str = "given"
    only: Sequence[str] = ()
    epochs: int | None = None
    budget_minutes: float | None = None

    @property
    def composed(self) -> bool:
        """Return whether users' texts are made of their train items."""
        return self.users == "composed"


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """A split, its texts' vectors and the ratings that are replayed."""

    corpus: Corpus
    texts: Texts
    ratings: Sequence[Replay]
    clock: Clock


def options(command: Callable[..., None]) -> Callable[..., Any]:
    """Give a command the options of all tables, as one object; its own follow by keyword."""

    @wraps(command)
    def handed(**given: Any) -> None:  # noqa: ANN401 - whatever click read
        own = {field.name: given.pop(field.name) for field in fields(Options)}
        command(Options(**own), **given)

    given_options: Callable[..., Any] = resumes(handed)
    folder = click.Path(path_type=Path, file_okay=False)
    for option in (
        click.option("--data", type=folder, required=True, help="a published split with texts"),
        click.option("--out", type=folder, required=True, help="tables, and cells to go on from"),
        click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True),
        click.option(
            "--ratings",
            multiple=True,
            help="a file of ratings to replay, or 'local' for the local endpoint; repeatable",
        ),
        click.option(
            "--users",
            type=click.Choice(["given", "composed"]),
            default="given",
            show_default=True,
            help="users' texts: the folder's, or made of their train items",
        ),
        click.option("--only", multiple=True, help="rows whose name holds this; repeatable"),
        click.option("--epochs", type=click.IntRange(min=1), help="cap on every training"),
        click.option(
            "--budget-minutes", type=click.FloatRange(min=0), help="start nothing after that"
        ),
    ):
        given_options = option(given_options)
    return given_options


def read(asked: Options) -> Inputs:
    """Read all that the rows need; the clock of the budget runs from here on."""
    clock, out = Clock(asked.budget_minutes), asked.out
    known = corpus.read(asked.data, composed=asked.composed)
    said = [_ratings(one, known, asked) for one in asked.ratings]
    names = [one.name for one in said]
    for name in names:
        if names.count(name) > 1:
            raise InvalidError(f"Two files of ratings are named {name}: rows go by that name.")
    texts = Texts(vectors=_vectors(known, asked), folder=out / "aligned")
    return Inputs(corpus=known, texts=texts, ratings=said, clock=clock)


def filled(rows: Sequence[Row], inputs: Inputs, asked: Options, *, reads: Sequence[str]) -> Table:
    """Compute the rows' missing cells as the options say, until the time is over."""
    return fill(
        rows,
        inputs.corpus.split,
        out=asked.out,
        seeds=asked.seeds,
        clock=inputs.clock,
        only=asked.only,
        reads=reads,
    )


def told(inputs: Inputs) -> list[str]:
    """Return a line for each file of ratings: how many, how many of them edges of train."""
    lines = []
    for said in inputs.ratings:
        pairs, train = said.pairs, inputs.corpus.split.train
        edges = int(train.contains(users=pairs.users, items=pairs.items).sum())
        both = int(pairs.rated().sum())
        out = f"; {said.left_out} left out, picked as held out" if said.left_out else ""
        lines.append(
            f"- ratings {said.name}: {len(pairs.users)} pairs, {edges} of them edges of train, "
            f"{both} with both views{out}"
        )
    return lines


def _vectors(known: Corpus, asked: Options) -> Embeddings:
    if not asked.composed:
        return corpus.vectors(known, asked.out)
    # the given profiles are not asked about at all
    items = corpus.vectors(replace(known, users=("",) * len(known.users)), asked.out).items
    return Embeddings(corpus.composed(items, known.split.train), items)


def _ratings(one: str, known: Corpus, asked: Options) -> Replay:
    # texts and pairs shape what the endpoint says: answers to others are no answers here
    own = asked.out / f"{LOCAL}-{asked.data.resolve().name}-{asked.users}.jsonl"
    path = own if one == LOCAL else Path(one)
    if one == LOCAL and not path.exists():
        tell(f"rating at most {PAIRS} pairs by the local endpoint")
        shown = corpus.retold(known) if asked.composed else known
        rate.rate(shown, asked.data, asked.out, path, spec=RunSpec(budget_pairs=PAIRS))
    user_ids, item_ids = published.ids(asked.data)
    return replay.read(path, users=user_ids, items=item_ids)
