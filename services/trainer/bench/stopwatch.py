"""CPU seconds of steps that are run in turn, so that a busy machine troubles all of them alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Timed:
    """The seconds and the results of one contestant's steps."""

    seconds: Floats  # (n,) CPU
    values: Floats  # (n,) what the step returned

    def median(self) -> float:
        """Return the median seconds of a step."""
        return float(np.median(self.seconds))

    def mean(self) -> float:
        """Return the mean seconds of a step, for steps that are not all alike."""
        return float(self.seconds.mean())


def in_turn(contestants: Mapping[str, Callable[[int], float]], *, rounds: int) -> dict[str, Timed]:
    """Run every contestant's first step, then every one's second, and so on.

    A contestant is told the number of its step. The order turns with the rounds, so that nobody
    always follows the one that leaves the cache in disorder. The first round warms up and is
    timed like the others: read medians.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    values: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            began = time.process_time()
            value = contestants[name](number)
            seconds[name].append(time.process_time() - began)
            values[name].append(value)
    return {
        name: Timed(seconds=np.array(seconds[name]), values=np.array(values[name]))
        for name in names
    }


def ratio(slow: Timed, fast: Timed) -> float:
    """Return the median over the rounds of the slow one's seconds by the fast one's."""
    return float(np.median(slow.seconds / fast.seconds))
