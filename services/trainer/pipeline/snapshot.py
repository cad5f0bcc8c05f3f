"""snapshot: the dataset as of one moment: an indexed, split graph, its texts, people's words."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from services.recsys.split import TRAIN, Parts, apply_parts
from services.shared.db.repos import snapshots
from services.shared.db.session import unit_of_work
from services.shared.specs import DatasetSettings
from services.trainer.context import Context, Result
from services.trainer.snapshot import figures, files, positives, profiles, split, words

LOG, USERS, ITEMS, WORDS = "interactions.csv", "users.csv", "items.csv", "words.csv"


def run(context: Context) -> Result:
    """Copy, filter, deduplicate, prune, split, describe; TooSmallError when little is left."""
    settings = DatasetSettings.read(context.run.dataset_settings)
    version = _copy(context)
    log = positives.read(context.work / LOG, positive=settings.positive)
    graph = split.core(log.pairs, settings)
    parts = split.parts(graph, settings)
    divided = apply_parts(graph.edges, parts)
    figures.check_enough(divided)
    users, items = _profiles(context.work, graph, parts)
    said = words.read(context.work / WORDS)
    with context.writing() as draft:
        draft.meta["dataset_version"] = version
        files.write(
            draft.folder,
            users=users,
            items=items,
            edges=graph.edges,
            parts=parts,
            micros=graph.pairs["micros"],
            words=said,
        )
    fallen = {
        "rows": log.rows,
        "negative": log.negative,
        "duplicates": log.duplicates,
        "below_min_degree": len(log.pairs) - len(graph.pairs),
    }
    told = {**figures.counts(divided, graph.edges), **fallen, **_texts(users, items)}
    told["people_said"] = len(said)
    return Result({**told, "dataset_version": version}, draft.manifest)


def _copy(context: Context) -> int:
    """Copy log and profiles out of one moment; return the dataset's version then."""
    dataset, work = context.run.dataset_id, context.work
    with unit_of_work() as session:
        snapshots.begin(session, context.run.project_id)
        version = snapshots.version(session, dataset)
        snapshots.copy_interactions(session, dataset, work / LOG)
        snapshots.copy_profiles(session, "users", dataset, work / USERS)
        snapshots.copy_profiles(session, "items", dataset, work / ITEMS)
        snapshots.copy_words(session, dataset, work / WORDS)
    return version


def _profiles(work: Path, graph: split.Indexed, parts: Parts) -> tuple[pl.DataFrame, pl.DataFrame]:
    items = profiles.read(work / ITEMS, graph.item_ids)
    users = profiles.read(work / USERS, graph.user_ids)
    train = parts == TRAIN
    recency = graph.pairs["micros"].fill_null(0).to_numpy()[train]
    users = profiles.compose(
        users, items, train=graph.edges.where(np.asarray(train)), recency=recency
    )
    return profiles.with_hashes(users), profiles.with_hashes(items)


def _texts(users: pl.DataFrame, items: pl.DataFrame) -> dict[str, Any]:
    return {
        "users_without_text": users["text"].null_count(),
        "users_composed": int(users["composed"].sum()),
        "items_without_text": items["text"].null_count(),
    }
