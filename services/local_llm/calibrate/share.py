"""Chooses how much of a shelf's likeness the item view takes off, on the fitting halves alone.

Two things are wanted of the item view, and both are asked of readers that nothing is reported on:
to tell what an LLM called High from what it called Low, and to tell true pairs of another kind of
shop from shuffled ones. The share with the best mean of both areas is taken, of equals the least.
"""

from collections.abc import Sequence

import click
import numpy as np

from services.local_llm.calibrate.measures import auc
from services.local_llm.calibrate.report import Mask, Terms

GRID = tuple(round(0.1 * step, 1) for step in range(11))


def choose_share(rated: Terms, said: Sequence[str], other: Terms, truth: Mask) -> float:
    """Return the share; prints the areas of each that was tried."""
    labels = np.array(said)
    means: dict[float, float] = {}
    for share in GRID:
        own, there = rated.scores(share).item, other.scores(share).item
        by_label, _ = auc(own[labels == "High"], own[labels == "Low"])
        by_truth, _ = auc(there[truth], there[~truth])
        means[share] = round((by_label + by_truth) / 2, 4)
        click.echo(
            f"share {share:.1f}: High against Low {by_label:.3f}, "
            f"true against shuffled elsewhere {by_truth:.3f}"
        )
    return max(GRID, key=lambda share: (means[share], -share))
