"""LLMHNI's epoch against our own LightGCN's, as printed and in cheaper variants."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from services.recsys import loop
from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.data import Embeddings, Interactions, Signals
from services.recsys.methods.bpr import BPR
from services.recsys.methods.llmhni import LLMHNI, Config
from services.recsys.objective import Method
from services.recsys.seeds import Seeds
from services.trainer.bench import levers
from services.trainer.bench.cells import Cell
from services.trainer.bench.stopwatch import Floats, Timed, in_turn

OURS, PRINTED = "our LightGCN (BPR)", "LLMHNI as printed"
HALVED, CHEAP = "contrasts propagated in bf16", "512 pairs, every 4th batch"
CYCLE = 4
"""Batches after which every variant has done all that it does."""

VARIANTS: dict[str, dict[str, Any]] = {
    PRINTED: {},
    "without L_hal": {"hal": False},
    "without L_de": {"de": False},
    "without semantic negatives": {"semantic": False},
    HALVED: {"contrast_in": "bfloat16"},
    "10 % of nodes in the contrast": {"contrast": "sample"},
    "512 pairs in the contrasts": {"n_contrast": 512},
    "contrasts on every 2nd batch": {"every": 2},
    "contrasts on every 4th batch": {"every": 4},
    CHEAP: {"every": 4, "n_contrast": 512},
}


def printed() -> Config:
    """Return the paper's preset with as many layers as the bench's LightGCN."""
    return replace(Config.paper(), n_layers=levers.LAYERS)


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
    """Time all variants in turn; figures by row: a step and the ratio to our LightGCN's."""
    given = signals(train, d=levers.D)
    lightgcn = BPR(levers.config(), LightGCN, train, seeds=Seeds(0), device=levers.CPU)
    steppers = {OURS: _stepper(lightgcn)}
    for name, dials in VARIANTS.items():
        recipe = replace(printed(), **dials)
        method = LLMHNI(recipe, LightGCN, train, given, seeds=Seeds(0), device=levers.CPU)
        steppers[name] = _stepper(method)
    timed = in_turn(steppers, rounds=cycles * CYCLE)
    ours = _by_cycle(timed[OURS])
    steps = math.ceil(len(train) / levers.config().B)
    figures = {
        name: {
            "ms a step": 1000 * float(np.median(_by_cycle(one))),
            "s an epoch": steps * float(np.median(_by_cycle(one))),
            "times our LightGCN": float(np.median(_by_cycle(one) / ours)),
        }
        for name, one in timed.items()
    }
    return Cell(figures={"rows": figures, "steps": cycles * CYCLE})


def _stepper(method: Method) -> Callable[[int], float]:
    """Return a contestant that steps as the loop does, with the method's own negatives."""
    adam = torch.optim.Adam(method.parameters(), lr=levers.LR, fused=True)
    rng, held = Seeds(0).torch("batches"), list[Any]()

    def step(number: int) -> float:
        del number
        if not held:
            held.append(loop.shuffled(method, levers.config().B, rng))
        at_batch = next(held[0], None)
        if at_batch is None:  # an epoch has ended
            held[0] = loop.shuffled(method, levers.config().B, rng)
            at_batch = next(held[0])
        return levers.descend(adam, method.loss(at_batch[1], 0).total())

    return step


def _by_cycle(timed: Timed) -> Floats:
    means: Floats = timed.seconds.reshape(-1, CYCLE).mean(axis=1)
    return means
