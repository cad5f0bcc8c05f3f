"""A row of a table: a model that is made for a graph, chosen on validation, and never sees test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from services.recsys.data import Interactions, Split
from services.recsys.topk import ScoreBlock
from services.shared.canonical import Json
from services.trainer.bench import peers
from services.trainer.bench.peers import Trial

Figures = Mapping[str, Json]


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """What a row is made of: the graph to train on, and what may choose."""

    split: Split  # train and val; test is empty, and val as well where `frozen` says what to do
    seed: int
    folder: Path  # for checkpoints and what may be kept of this one cell
    should_stop: Callable[[], bool]
    frozen: Figures | None = None  # figures of the same row and seed on train alone

    @property
    def graph(self) -> Interactions:
        """Return what is trained on."""
        return self.split.train


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """A model that can be judged, and what is worth telling of its making."""

    score_block: ScoreBlock
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model by name; `plan` is all that shapes it beside data, protocol and seed.

    `make` chooses by validation when `work.frozen` is None, and repeats the choice otherwise. It
    raises CutShortError when told to stop, having kept in `work.folder` what it needs to go on.
    """

    name: str
    plan: Figures
    make: Callable[[Work], Made]
    seeded: bool = True  # without randomness one seed is all
    resumes: bool = False
    late: int = 0  # waves that it lets others go first
    printed: str = ""  # whose printed numbers stand beside it
    notes: Figures = field(default_factory=dict)  # told in the table, shapes nothing
    kept_by: str = ""  # the name its cells are kept by, where they were kept before it had its own


def nothing(edges: Interactions) -> Interactions:
    """Return the same users and items without an edge."""
    return edges.where(np.zeros(len(edges), dtype=np.bool_))


def peer_rows() -> list[Row]:
    """Return the closed forms and iALS; validation chooses among each one's settings."""
    return [_peer_row(name, trials) for name, trials in peers.grids(seed=0).items()]


def _peer_row(name: str, trials: list[Trial]) -> Row:
    return Row(
        name=name,
        plan={"peer": name, "grid": [trial.setting for trial in trials]},
        make=lambda work: _peer(name, work),
        seeded=name == "iALS",
    )


def _peer(name: str, work: Work) -> Made:
    trials = peers.grids(seed=work.seed)[name]
    if work.frozen is None:
        chosen, value = peers.best(work.split, trials)
    else:
        told = work.frozen
        chosen = next(trial for trial in trials if trial.setting == told["setting"])
        value = cast("float", told["validation"])
    model, seconds = peers.fitted(chosen, work.graph)
    figures: Figures = {"setting": chosen.setting, "validation": value, "fit_seconds": seconds}
    return Made(score_block=model.score_block, figures=figures)
