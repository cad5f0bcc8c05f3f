"""Which rows came before in the same file, told by 64-bit hashes in sorted runs.

8 bytes a row (at most 16 while runs merge): 100 million rows take 0.8 GB. Two different rows among
n share a hash with a chance of n²/2^65: 3e-8 for a million rows, 3e-4 for a hundred million.
"""

from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
MIX = np.uint64(0x9E3779B97F4A7C15)  # odd: multiplying by it loses nothing modulo 2^64


class Seen:
    """Remembers the hashes of all rows so far: runs of falling length, merged like a binary sum."""

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def first(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Say for each row whether it is the first of its hash, and remember it. Shape (N,)."""
        unique, places = np.unique(hashes, return_index=True)
        fresh = np.ones(len(unique), dtype=bool)
        for run in self._runs:
            spot = np.minimum(np.searchsorted(run, unique), len(run) - 1)
            fresh &= run[spot] != unique
        mask = np.zeros(len(hashes), dtype=bool)
        mask[places[fresh]] = True
        self._remember(unique[fresh])
        return mask

    def _remember(self, run: Hashes) -> None:
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.concatenate([self._runs.pop(), run])
            run.sort(kind="stable")  # merges sorted runs in linear time
        if len(run):
            self._runs.append(run)


def hash_events(frame: pl.DataFrame) -> Hashes:
    """Return a hash per row of its event_id, else of user, item, type and timestamp."""
    columns = [_hash(frame, name) for name in ("user_id", "item_id", "type", "timestamp")]
    whole = columns[0]
    for column in columns[1:]:
        whole = whole * MIX + column
    named = frame["event_id"].is_not_null().to_numpy()
    return cast("Hashes", np.where(named, _hash(frame, "event_id", seed=2), whole))


def hash_ids(frame: pl.DataFrame) -> Hashes:
    """Return a hash per row of its id."""
    return _hash(frame, "id")


def _hash(frame: pl.DataFrame, name: str, *, seed: int = 1) -> Hashes:
    return frame[name].hash(seed).to_numpy()
