"""bench noise: the paper's Figure 4: what each model loses when fakes are planted into train."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import cast

import click
import numpy as np

from services.recsys.data import Embeddings
from services.recsys.tfidf import tf_idf
from services.shared.errors import InvalidError
from services.trainer.bench import corpus, noise_report, published, replay
from services.trainer.bench.answers import Profiles
from services.trainer.bench.corpus import Corpus
from services.trainer.bench.denoiser_rows import Texts
from services.trainer.bench.listener import Listener
from services.trainer.bench.noise_case import Case
from services.trainer.bench.noise_losses import Found, Result, percent
from services.trainer.bench.noise_raters import rates
from services.trainer.bench.noise_rows import EPOCHS, TAKEN, rows
from services.trainer.bench.peers import tell
from services.trainer.bench.planting import Kind, planted
from services.trainer.bench.replay import Replay
from services.trainer.bench.replay_lines import Ids
from services.trainer.bench.resuming import resumes, show
from services.trainer.bench.schedule import Clock
from services.trainer.bench.tables import TRAIN, Table, fill_all

SHARES = (0.0, 0.2, 0.1, 0.05, 0.15)
"""Fakes per true edge, in the order of their worth."""
PAIR = 2
"""The first two are worth little without each other: their cells take turns."""


@click.command(noise_report.NAME)
@resumes
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="plantings")
@click.option("--share", type=click.FloatRange(min=0, max=1), multiple=True, default=SHARES)
@click.option("--kind", type=click.Choice(["uniform", "popularity"]), default="uniform")
@click.option("--ratings", type=click.Path(path_type=Path), multiple=True, help="to replay")
@click.option(
    "--users",
    type=click.Choice(["given", "composed"]),
    default="composed",
    show_default=True,
    help="users' texts: the folder's (written from the clean history), or this graph's items'",
)
@click.option("--only", multiple=True, help="rows whose name holds this; repeatable")
@click.option("--epochs", type=click.IntRange(min=1), default=EPOCHS, show_default=True)
@click.option("--budget-minutes", type=click.FloatRange(min=0), help="start nothing after that")
def command(  # noqa: PLR0913 - click hands every option over
    *,
    data: Path,
    out: Path,
    seeds: int,
    share: Sequence[float],
    kind: Kind,
    ratings: Sequence[Path],
    users: str,
    only: Sequence[str],
    epochs: int,
    budget_minutes: float | None,
) -> None:
    """Peers, LightGCN, LLMHNI and the default with 0 to 20 % fakes in train; resumes."""
    clock = Clock(budget_minutes)
    plan = Plan(seeds=seeds, shares=share, kind=kind, given=users == "given")
    with Listener(out) as listener:
        bench = _bench(data, out, ratings, plan, listener)
        found = [
            one
            for cases in bench.waves()
            for one in _filled(cases, out, clock=clock, only=only, epochs=epochs)
        ]
    show(noise_report.write(found, out), out, noise_report.NAME)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which graphs are planted."""

    seeds: int
    shares: Sequence[float]
    kind: Kind
    given: bool

    def graphs(self) -> Iterator[tuple[int, float]]:
        """Return seed and share, the first seed of all shares first; clean is clean once."""
        order = sorted(
            set(self.shares),
            key=lambda share: SHARES.index(share) if share in SHARES else len(SHARES),
        )
        for seed in range(self.seeds):
            yield from ((seed, share) for share in order if share or not seed)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """What all planted graphs have in common."""

    corpus: Corpus
    vectors: Embeddings
    base: Case
    plan: Plan

    def waves(self) -> Iterator[list[Case]]:
        """Return the planted graphs as cases: the first PAIR together, then one at a time."""
        graphs = self.plan.graphs()
        first = [self._case(*graph) for graph in islice(graphs, PAIR)]
        yield first
        for graph in graphs:
            yield [self._case(*graph)]

    def _case(self, seed: int, share: float) -> Case:
        """Return a planted graph with the users' texts as that graph knows them."""
        tell(f"planting seed {seed}, {percent(share)} noise")
        made = planted(self.corpus.split, share=share, seed=seed, kind=self.plan.kind)
        items, texts = self.vectors.items, self.vectors
        if not self.plan.given:
            texts = Embeddings(corpus.composed(items, made.split.train), items)
        return replace(self.base, planted=made, texts=texts)


def _bench(data: Path, out: Path, ratings: Sequence[Path], plan: Plan, listener: Listener) -> Bench:
    known = corpus.read(data, composed=not plan.given)
    user_ids, item_ids = published.ids(data)
    said = _replayed(ratings, user_ids, item_ids)
    shares = [found for path in ratings if (found := rates(path)) is not None]
    # a text made of the edges that are judged may hold the very item: composed, nobody has one
    shown = known if plan.given else replace(known, users=("",) * len(known.users))
    vectors = corpus.vectors(known, out)
    return Bench(
        corpus=known,
        vectors=vectors,
        plan=plan,
        base=Case(
            planted=planted(known.split, share=0.0, seed=0, kind=plan.kind),
            texts=vectors,
            given=plan.given,
            words=tf_idf(known.items),
            profiles=cast("Profiles", shown),
            ask=listener,
            said=said,
            rates=shares[0] if shares else None,
        ),
    )


def _replayed(paths: Sequence[Path], users: Ids, items: Ids) -> dict[str, Replay]:
    """Return files of ratings by name, none of which may be taken for another source's rows."""
    said: dict[str, Replay] = {}
    for path in paths:
        one = replay.read(path, users=users, items=items)
        if one.name in TAKEN or one.name in said:
            raise InvalidError(f"Ratings named {one.name}: rows go by that name, rename the file.")
        said[one.name] = one
    return said


def _filled(
    cases: Sequence[Case], out: Path, *, clock: Clock, only: Sequence[str], epochs: int
) -> list[Found]:
    """Compute what is missing of some graphs, row by row in turns, and return what there is."""
    columns = {
        f"{percent(case.planted.share)} noise, planting {case.planted.seed}": (
            rows(case, Texts(vectors=case.texts, folder=out / "aligned"), epochs=epochs),
            case.planted.split,
        )
        for case in cases
    }
    tables = fill_all(columns, out=out, seeds=1, clock=clock, only=only, reads=(TRAIN,))
    return [_found(case, table) for case, table in zip(cases, tables, strict=True)]


def _found(case: Case, table: Table) -> Found:
    results = {}
    for row in table.rows:
        cells = table.found(row, TRAIN)
        if cells:
            results[row.name] = Result(
                figures=cells[0].figures, users=np.asarray(cells[0].per_user["recall@20"])
            )
    return Found(
        share=case.planted.share,
        seed=case.planted.seed,
        results=results,
        names=[row.name for row in table.rows],
    )
