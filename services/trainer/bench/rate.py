"""bench rate: the local endpoint's ratings of a published split's suspicious pairs, as a file.

The pairs are those that a run would choose on the train edges; what comes out can be replayed by
`--ratings`, beside the ratings of any LLM.
"""

import asyncio
import time
from pathlib import Path

import click

from services.recsys.data import Embeddings
from services.shared.specs import RunSpec
from services.trainer.bench import corpus, endpoint, published, recipe, replay
from services.trainer.bench.answers import Asked
from services.trainer.bench.corpus import Corpus
from services.trainer.bench.peers import tell
from services.trainer.bench.resuming import resumes

SAYS_EVERY = 5.0
"""Seconds between two words about the progress."""


@click.command("rate")
@resumes
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--pairs", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--users",
    type=click.Choice(["given", "composed"]),
    default="given",
    show_default=True,
    help="users' texts: the folder's, or made of their train items' texts",
)
def command(data: Path, out: Path, pairs: int, seed: int, users: str) -> None:
    """Rate a split's suspicious pairs by the local endpoint; writes OUT/ratings.jsonl."""
    known = corpus.read(data, composed=users == "composed")
    if users == "composed":
        known = corpus.retold(known)
    path = out / "ratings.jsonl"
    rate(known, data, out, path, spec=RunSpec(seed=seed, budget_pairs=pairs))
    print(path)


def rate(known: Corpus, data: Path, out: Path, path: Path, *, spec: RunSpec) -> None:
    """Choose, ask and write; vectors and answers stay in OUT/answers and are not asked again."""
    with endpoint.serving(out / "local_llm.log") as client:
        asked = Asked(client, endpoint.about(client), out / "answers")
        asyncio.run(_rate(known, data, asked, path, spec))


async def _rate(known: Corpus, data: Path, asked: Asked, path: Path, spec: RunSpec) -> None:
    async with asked.client:
        tell("vectors of the texts")
        found = await asked.vectors(known)
        tell("pretraining and candidates")
        texts = Embeddings(
            corpus.blank(found.users, known.users), corpus.blank(found.items, known.items)
        )
        pairs = recipe.suspects(known.split.train, texts, spec)
        views = await asked.views(known, pairs, on_progress=Progress())
    users, items = published.ids(data)
    replay.write(path, pairs, views, users=users, items=items)


class Progress:
    """Says how many pairs are rated, and when the rest will be."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()

    def __call__(self, done: int, of: int) -> None:
        """Say so, at most every few seconds."""
        now = time.monotonic()
        if now - self._last < SAYS_EVERY and done < of:
            return
        self._last = now
        left = (now - self._began) / done * (of - done)
        tell(f"rated {done} of {of}, about {left:.0f} s left")
