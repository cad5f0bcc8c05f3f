"""LLMHNI's epoch against our own LightGCN's, as printed and in cheaper variants."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from services.recsys import loop
from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.data import Batch, Embeddings, Interactions, Signals
from services.recsys.methods.bpr import BPR
from services.recsys.methods.llmhni import LLMHNI, Config
from services.recsys.objective import Method
from services.recsys.seeds import Seeds
from services.trainer.bench import levers
from services.trainer.bench.cells import Cell
from services.trainer.bench.stopwatch import Floats, Timed, in_turn

OURS, PRINTED = "our LightGCN (BPR)", "LLMHNI as printed"
HALVED, SAMPLED = "contrasts in bf16", "10 % of nodes in the contrast"
FEWER, RARE = "512 pairs in the contrasts", "512 pairs, every 4th batch"
LARGE = "batch 4,096, rate 4e-3, 1,024 pairs"
CHEAP = "batch 4,096, rate 4e-3, 2,048 pairs, contrasts in bf16"
DEFAULT = "our default: softmax, 2 layers, batch 2,048, 512 pairs"
OTHER = "our default, contrasts on every 2nd batch"
CYCLE = 4
"""Batches after which every variant has done all that it does."""

VARIANTS: dict[str, dict[str, Any]] = {
    PRINTED: {},
    "without L_hal": {"hal": False},
    "without L_de": {"de": False},
    "without semantic negatives": {"semantic": False},
    HALVED: {"contrast_in": "bfloat16"},
    SAMPLED: {"contrast": "sample"},
    FEWER: {"n_contrast": 512},
    "contrasts on every 2nd batch": {"every": 2},
    "contrasts on every 4th batch": {"every": 4},
    RARE: {"every": 4, "n_contrast": 512},
    LARGE: {"B": 4096, "lr": 4e-3, "n_contrast": 1024},
    CHEAP: {"B": 4096, "lr": 4e-3, "n_contrast": 2048, "contrast_in": "bfloat16"},
}
"""What each changes of the printed recipe; the rate of a larger batch grows with it."""


def recipes() -> dict[str, Config]:
    """Return every row's recipe by its name, the printed one first."""
    # the paper's preset with as many layers as the bench's LightGCN
    printed = replace(Config.paper(), n_layers=levers.LAYERS)
    varied = {name: replace(printed, **dials) for name, dials in VARIANTS.items()}
    own = Config.default()
    return {**varied, DEFAULT: own, OTHER: replace(own, every=2)}


def signals(train: Interactions, *, d: int) -> Signals:
    """Return stand-ins of the right size: random texts, G' without one edge in twenty.

    What they hold is of no weight to the time.
    """
    rng = Seeds(0).torch("stand-ins")
    texts = Embeddings(
        *(torch.randn((n, d), generator=rng) for n in (train.n_users, train.n_items))
    )
    kept = Seeds(0).numpy("stand-ins").random(len(train)) > 1 / 20
    return Signals(aligned=texts, refined=train.where(kept))


def measure(train: Interactions, *, cycles: int) -> Cell:
    """Time all variants in turn; figures by row: a step, an epoch and its ratio to LightGCN's."""
    given = signals(train, d=levers.D)
    lightgcn = BPR(levers.config(), LightGCN, train, seeds=Seeds(0), device=levers.CPU)
    methods: dict[str, Method] = {OURS: lightgcn}
    sizes = {OURS: levers.config().B}
    for name, recipe in recipes().items():
        methods[name] = LLMHNI(recipe, LightGCN, train, given, seeds=Seeds(0), device=levers.CPU)
        sizes[name] = recipe.B
    steppers = {name: _stepper(method, sizes[name]) for name, method in methods.items()}
    timed = in_turn(steppers, rounds=cycles * CYCLE)
    # some train on the pairs of G', which are fewer
    batches = {name: math.ceil(len(one.pairs) / sizes[name]) for name, one in methods.items()}
    epochs = {name: batches[name] * _by_cycle(one) for name, one in timed.items()}
    figures = {
        name: {
            "batch": sizes[name],
            "ms a step": 1000 * float(np.median(seconds)) / batches[name],
            "s an epoch": float(np.median(seconds)),
            "times our LightGCN": float(np.median(seconds / epochs[OURS])),
        }
        for name, seconds in epochs.items()
    }
    return Cell(figures={"rows": figures, "steps": cycles * CYCLE})


def _stepper(method: Method, size: int) -> Callable[[int], float]:
    """Return a contestant that steps as the loop does, with the method's own negatives.

    An epoch's last batch, if a small one, is left out: an epoch is reckoned in whole ones.
    """
    adam = torch.optim.Adam(method.parameters(), lr=levers.LR, fused=True)
    batches = _whole(method, size)

    def step(number: int) -> float:
        method.step = number
        return levers.descend(adam, method.loss(next(batches), 0).total())

    return step


def _whole(method: Method, size: int) -> Iterator[Batch]:
    rng, size = Seeds(0).torch("batches"), min(size, len(method.pairs))
    while True:
        for _, batch in loop.shuffled(method, size, rng):
            if len(batch.users) == size:
                yield batch


def _by_cycle(timed: Timed) -> Floats:
    means: Floats = timed.seconds.reshape(-1, CYCLE).mean(axis=1)
    return means
