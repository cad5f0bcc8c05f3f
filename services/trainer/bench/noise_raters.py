"""Raters that nobody has to ask: labels drawn as often as an LLM gave them.

A file of a few hundred real ratings can't refine a graph, but it tells how an LLM's two labels
spread over true and over planted edges. Labels drawn by those shares stand for an LLM of that
worth on every asked pair. It is a simulation, and its rows say so.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.recsys.data import Bools
from services.recsys.verdicts import LABELS
from services.trainer.bench.arms import Views

KINDS = {"real": False, "fake": True}
"""Values of "kind" that say which edges of a rated file were true and which were planted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rates:
    """Shares of the nine pairs of labels, user view by item view, in the order of LABELS."""

    real: npt.NDArray[np.float64]  # (9,)
    fake: npt.NDArray[np.float64]  # (9,)


def rates(path: Path) -> Rates | None:
    """Return the shares in a file that tells its planted edges; None where it does not."""
    counts = {False: np.zeros(9), True: np.zeros(9)}
    for line in path.read_text(encoding="utf-8").split("\n"):
        row = json.loads(line) if line.strip() else {}
        kind, labels = row.get("kind"), [row.get(view) for view in ("user_view", "item_view")]
        if kind in KINDS and None not in labels:
            by_user, by_item = (LABELS[str(label)] for label in labels)
            counts[KINDS[kind]][3 * by_user + by_item] += 1
    if not (counts[False].any() and counts[True].any()):
        return None
    return Rates(real=counts[False] / counts[False].sum(), fake=counts[True] / counts[True].sum())


def drawn(shares: Rates, fake: Bools, *, rng: np.random.Generator) -> Views:
    """Draw both labels of every edge, by whether it is fake: (C,) -> (C,), (C,)."""
    both = np.where(
        fake,
        rng.choice(9, size=len(fake), p=shares.fake),
        rng.choice(9, size=len(fake), p=shares.real),
    )
    return (both // 3).astype(np.int8), (both % 3).astype(np.int8)
