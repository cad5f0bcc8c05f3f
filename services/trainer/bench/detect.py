"""bench detect: who finds planted noise, at what price for true edges, and what ratings add."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from services.recsys.data import Embeddings
from services.recsys.detect import KINDS
from services.recsys.seeds import Seeds
from services.trainer.bench import (
    corpus,
    detect_report,
    detections,
    hard,
    local_rated,
    published,
    rated_truth,
    signals,
)
from services.trainer.bench.cells import Cells
from services.trainer.bench.corpus import Corpus
from services.trainer.bench.detect_report import Section
from services.trainer.bench.detections import Planted
from services.trainer.bench.replay_lines import called
from services.trainer.bench.resuming import resumes, show

NAME = "detect"
HIDDEN = 0.1
"""Share of the train edges that are hidden to be found again."""


@click.command(NAME)
@resumes
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="plantings")
@click.option(
    "--ratings",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="ratings of any LLM whose lines tell the kind of their pair; repeatable",
)
@click.option(
    "--pairs",
    type=click.IntRange(min=0),
    default=1_500,
    show_default=True,
    help="of each question to the local endpoint; 0 asks nothing",
)
@click.option(
    "--trained",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="plantings after which models are trained and test is read",
)
def command(
    *, data: Path, out: Path, seeds: int, ratings: Sequence[Path], pairs: int, trained: int
) -> None:
    """AUC, precision and recall of every signal on planted noise; resumes where it stopped."""
    known = corpus.read(data)
    rated = [read(path, data) for path in ratings]  # a fault is told before anything takes long
    texts = corpus.vectors(known, out)
    asked = Asked(seeds=seeds, ratings=rated, pairs=pairs, trained=trained)
    show(run(known, texts, out, asked=asked), out, NAME)


@dataclass(frozen=True, kw_only=True, eq=False)
class Rated:
    """A file of ratings; nothing is known where its lines tell no kind."""

    name: str
    known: rated_truth.Known | None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How much is computed, and whose ratings are compared."""

    seeds: int  # plantings
    ratings: Sequence[Rated] = ()
    pairs: int = 0  # to the local endpoint, of each question
    trained: int = 0  # plantings after which models are trained


def read(path: Path, data: Path) -> Rated:
    """Return a file's ratings by the dataset's numbers; InvalidError names the line of a fault."""
    users, items = published.ids(data)
    return Rated(name=called(path), known=rated_truth.read(path, users=users, items=items))


def run(known: Corpus, texts: Embeddings, out: Path, *, asked: Asked) -> str:
    """Compute what is missing, write the tables and return them."""
    planted = detections.all_planted(known, texts, out, seeds=asked.seeds)
    sections = [*detect_report.by_signal(planted), _price(known, planted, out)]
    for rated in asked.ratings:
        sections += _by_ratings(rated, known, texts)
    if asked.pairs:
        sections += _by_local(known, planted, out, asked.pairs)
    if asked.trained:
        sections.append(_trained(known, planted, out, asked.trained))
    return detect_report.write(out, planted, sections)


def _price(known: Corpus, planted: Sequence[Planted], out: Path) -> Section:
    clean = known.split.train
    odd = hard.oddness(Cells(out / "cells"), clean)
    return detect_report.price(
        {
            kind: [
                hard.stay(one, hard.hard_edges(one, clean, odd))
                for one in planted
                if one.kind == kind
            ]
            for kind in KINDS
        }
    )


def _by_ratings(rated: Rated, known: Corpus, texts: Embeddings) -> list[Section]:
    if rated.known is None:
        return [Section(f"Ratings of {rated.name}", rated_truth.UNTOLD, ["", ""], [])]
    told = rated_truth.true_of(known.split, rated.known)
    graph = rated_truth.noisy(known.split, told, seed=0)
    return rated_truth.sections(rated.name, told, graph, texts)


def _by_local(known: Corpus, planted: Sequence[Planted], out: Path, pairs: int) -> list[Section]:
    """Ask about each kind's first planting, and about non-edges among which some are hidden."""
    first = [one for one in planted if one.seed == 0]
    asked = [
        local_rated.suspicious(one.train, one.fake, one.scores[signals.DEFAULT], most=pairs)
        for one in first
    ]
    train, rng = known.split.train, Seeds(0).numpy("hidden")
    gone = rng.random(len(train)) < HIDDEN
    users = np.sort(rng.permutation(train.n_users)[: max(pairs // local_rated.TOP, 1)])
    asked.append(local_rated.missing(train.where(~gone), train.where(gone), users))
    said = local_rated.ask(known, asked, out)
    return [
        *(
            local_rated.suspicious_section(one.kind, question, views)
            for one, question, views in zip(first, asked[:-1], said[:-1], strict=True)
        ),
        local_rated.missing_section(asked[-1], said[-1]),
    ]


def _trained(known: Corpus, planted: Sequence[Planted], out: Path, count: int) -> Section:
    some = [one for one in planted if one.kind == "popularity"][:count]
    return detect_report.trained(some, [hard.train_and_read(out, known.split, one) for one in some])
