"""Random draws that stay the same across numpy versions: all come from `Generator.random`.

numpy promises no stable stream for `choice` or `normal` (NEP 19), and the demo data are frozen
by hash, so the few distributions needed here are built from uniform doubles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Draws:
    """The generator's one source of chance."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.Generator(np.random.PCG64(seed))

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return bool(self._rng.random() < probability)

    def below(self, bound: int) -> int:
        """Return an integer from 0 to bound - 1."""
        return int(self._rng.random() * bound)

    def pick(self, bank: Sequence[T]) -> T:
        """Return one member of a bank."""
        return bank[self.below(len(bank))]

    def some(self, bank: Sequence[T], count: int) -> list[T]:
        """Return `count` different members, in drawn order."""
        order = np.argsort(self._rng.random(len(bank)), kind="stable")
        return [bank[int(at)] for at in order[:count]]

    def normals(self, count: int) -> FloatArray:
        """Return standard normal values (count,), by Box and Muller's formula."""
        radius = np.sqrt(-2.0 * np.log1p(-self._rng.random(count)))
        return np.asarray(radius * np.cos(2.0 * np.pi * self._rng.random(count)))

    def sample(self, log_weights: FloatArray, count: int) -> IntArray:
        """Return `count` indices drawn without replacement, P ∝ exp(log weight) (Gumbel top-k).

        The keys are rounded so that a last-bit difference of `log` moves no index.
        """
        gumbel = -np.log(-np.log1p(-self._rng.random(len(log_weights))) + 1e-300)
        keys = np.round(log_weights + gumbel, 9)
        return np.argsort(-keys, kind="stable")[:count].astype(np.int64)
