"""How the raw model's losses lie for hard, noisy and unsuspected edges: the paper's Figure 1."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from safetensors.numpy import load_file

from services.recsys.data import Interactions

BINS = 20
HIGHEST = 0.995
"""The last bin takes what lies above this quantile: one outlier must not flatten the rest."""


def loss_histograms(
    history: Path, train: Interactions, verdicts: pl.DataFrame
) -> dict[str, list[float] | list[int]]:
    """Return bin edges (BINS + 1) and counts of edges by verdict.

    The loss of an edge is its mean over the epochs. Edges that nobody suspected count as clean.
    """
    losses = load_file(history)["losses"].astype(np.float32)  # (epochs, E)
    trained = ~np.isnan(losses).all(axis=0)
    mean = np.nanmean(losses[:, trained], axis=0)
    words = _verdict_of_edges(train, verdicts)[trained]
    top = max(float(np.quantile(mean, HIGHEST)), 1e-6)
    edges = np.linspace(0.0, top, BINS + 1)
    told: dict[str, list[float] | list[int]] = {"bins": edges.round(6).tolist()}
    for word in ("hard", "noise", "clean", "unsure"):
        counts, _ = np.histogram(mean[words == word].clip(max=top), bins=edges)
        told[word] = counts.tolist()
    return told


def _verdict_of_edges(train: Interactions, verdicts: pl.DataFrame) -> npt.NDArray[np.str_]:
    rows = verdicts.filter(pl.col("edge"))
    at = train.locate(
        users=rows["user"].to_numpy().astype(np.int64),
        items=rows["item"].to_numpy().astype(np.int64),
    )
    words = np.full(len(train), "clean", dtype="<U6")
    words[at] = rows["verdict"].to_list()
    return words
