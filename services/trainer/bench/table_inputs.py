"""What the tables' commands share: their options, the texts' vectors, the ratings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from services.trainer.bench.schedule import Clock

LOCAL = "local"
PAIRS = 20_000
"""Pairs that `--ratings local` asks about, n1 = 10 and n2 = 2 per user at most."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """A split, its texts' vectors and the ratings that are replayed."""

    corpus: Corpus
    texts: Texts
    ratings: Sequence[Replay]
    clock: Clock


def options(command: Callable[..., None]) -> Callable[..., Any]:
    """Give a command the options of all tables."""
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
        command = option(command)
    return command


def read(data: Path, out: Path, ratings: Sequence[str], users: str, clock: Clock) -> Inputs:
    """Read all that the rows need; the clock runs already."""
    known = corpus.read(data, composed=users == "composed")
    said = [_ratings(one, known, data, out, users) for one in ratings]
    names = [one.name for one in said]
    for name in names:
        if names.count(name) > 1:
            raise InvalidError(f"Two files of ratings are named {name}: rows go by that name.")
    texts = Texts(vectors=_vectors(known, out, users), folder=out / "aligned")
    return Inputs(corpus=known, texts=texts, ratings=said, clock=clock)


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


def _vectors(known: Corpus, out: Path, users: str) -> Embeddings:
    if users == "given":
        return corpus.vectors(known, out)
    # the given profiles are not asked about at all
    items = corpus.vectors(replace(known, users=("",) * len(known.users)), out).items
    return Embeddings(corpus.composed(items, known.split.train), items)


def _ratings(one: str, known: Corpus, data: Path, out: Path, users: str) -> Replay:
    # texts and pairs shape what the endpoint says: answers to others are no answers here
    own = out / f"{LOCAL}-{data.resolve().name}-{users}.jsonl"
    path = own if one == LOCAL else Path(one)
    if one == LOCAL and not path.exists():
        tell(f"rating at most {PAIRS} pairs by the local endpoint")
        told_of = corpus.retold(known) if users == "composed" else known
        rate.rate(told_of, data, out, path, spec=RunSpec(budget_pairs=PAIRS))
    user_ids, item_ids = published.ids(data)
    return replay.read(path, users=user_ids, items=item_ids)
