"""One epoch of exact LightGCN: each lever against the usual formulation, in turn."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from services.recsys.data import Interactions
from services.recsys.samplers.uniform import Uniform
from services.recsys.seeds import Seeds
from services.trainer.bench.cells import Cell
from services.trainer.bench.levers import SHIPS, STD, USUAL, D, Step, levers, product
from services.trainer.bench.stopwatch import in_turn, ratio

Drawn = tuple[Tensor, Tensor, Tensor]
SIZES, ROUNDS = (1024, 2048, 4096, 8192), 7


def batches(train: Interactions, *, size: int, steps: int) -> list[Drawn]:
    """Return so many batches of users, positives and uniform negatives: each (size,).

    A graph of fewer pairs is gone through again.
    """
    rng = Seeds(0).torch("bench")
    uniform = Uniform(train, rng=rng)
    rounds = math.ceil(steps * size / len(train))
    order = torch.cat([torch.randperm(len(train), generator=rng) for _ in range(rounds)])
    users, items = torch.from_numpy(train.users), torch.from_numpy(train.items)
    found = []
    for at in torch.split(order[: steps * size], size):
        u = users[at]
        found.append((u, items[at], uniform.draw(u, n=1).squeeze(1)))
    return found


def start(train: Interactions) -> Tensor:
    """Return X before the first step, the same for everybody: (N, d)."""
    shape = (train.n_users + train.n_items, D)
    return torch.randn(shape, generator=Seeds(0).torch("start")) * STD


def measure(train: Interactions, *, size: int, steps: int) -> Cell:
    """Time every lever; figures by row: a step, an epoch, the ratio and the losses' difference."""
    drawn, begin = batches(train, size=size, steps=steps), start(train)
    rows = levers()
    timed = in_turn(
        {row.name: numbered(row.make(train, begin), drawn) for row in rows}, rounds=steps
    )
    usual = timed[USUAL]
    figures = {
        row.name: {
            "ms a step": 1000 * timed[row.name].median(),
            "s an epoch": timed[row.name].median() * math.ceil(len(train) / size),
            "times the usual": ratio(usual, timed[row.name]),
            "loss apart": float(np.abs(timed[row.name].values - usual.values).max()),
            "exact": row.exact,
        }
        for row in rows
    }
    return Cell(figures={"rows": figures, "batch": size, "steps": steps, "ships": SHIPS})


def numbered(step: Step, drawn: list[Drawn]) -> Callable[[int], float]:
    """Return the step as a contestant that takes its batches by number."""
    return lambda number: step(*drawn[number])


def larger(train: Interactions) -> Cell:
    """Time what ships at larger batches: an epoch has fewer steps, and each costs little more."""
    begin = start(train)
    steppers = {}
    for size in SIZES:
        drawn = batches(train, size=size, steps=ROUNDS)
        steppers[str(size)] = numbered(product(train, begin), drawn)
    timed = in_turn(steppers, rounds=ROUNDS)
    rows = {
        size: {
            "ms a step": 1000 * one.median(),
            "s an epoch": one.median() * math.ceil(len(train) / int(size)),
        }
        for size, one in timed.items()
    }
    return Cell(figures={"rows": rows})
