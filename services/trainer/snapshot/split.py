"""From unique pairs to an indexed graph, and which of its edges train, choose and test."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from services.recsys import split as science
from services.recsys.data import Interactions, Ints
from services.shared.specs import DatasetSettings
from services.trainer.errors import SplitError


@dataclass(frozen=True)
class Indexed:
    """A graph over ids in byte order; rows of `pairs` and edges correspond."""

    user_ids: list[str]
    item_ids: list[str]
    edges: Interactions
    pairs: pl.DataFrame  # user_id, item_id, micros, split


def index(pairs: pl.DataFrame) -> Indexed:
    """Number users and items in the byte order of their ids."""
    user_ids = pairs["user_id"].unique().sort()
    item_ids = pairs["item_id"].unique().sort()
    edges = Interactions(
        np.asarray(user_ids.search_sorted(pairs["user_id"]), dtype=np.int64),
        np.asarray(item_ids.search_sorted(pairs["item_id"]), dtype=np.int64),
        len(user_ids),
        len(item_ids),
    )
    return Indexed(user_ids.to_list(), item_ids.to_list(), edges, pairs)


def core(pairs: pl.DataFrame, settings: DatasetSettings) -> Indexed:
    """Leave out users and items of too few edges, to the end, and number the rest."""
    whole = index(pairs)
    keep = science.core(
        whole.edges,
        min_user_degree=settings.min_user_degree,
        min_item_degree=settings.min_item_degree,
    )
    return whole if keep.all() else index(pairs.filter(pl.Series(keep)))


def parts(graph: Indexed, settings: DatasetSettings) -> science.Parts:
    """Return each edge's part (E,) as the settings say; SplitError when the data cannot tell."""
    rule = settings.split
    if rule.kind == "column":
        return _by_column(graph)
    if rule.kind == "random":
        return science.by_hash(
            graph.edges,
            user_ids=graph.user_ids,
            item_ids=graph.item_ids,
            seed=rule.seed,
            val=rule.val,
            test=rule.test,
        )
    times = _times(graph, rule.kind)
    if rule.kind == "temporal":
        return science.by_time(times=times, val=rule.val, test=rule.test)
    return science.leave_last(graph.edges, times=times)


def _by_column(graph: Indexed) -> science.Parts:
    try:
        return science.by_column(graph.pairs["split"].to_list())
    except ValueError as error:
        raise SplitError(f"The dataset is split by an uploaded column: {error}.") from None


def _times(graph: Indexed, kind: str) -> Ints:
    missing = graph.pairs["micros"].null_count()
    if missing:
        raise SplitError(f"The split {kind} reads times, and {missing} pairs have none.")
    return graph.pairs["micros"].to_numpy()
