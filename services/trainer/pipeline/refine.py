"""refine: ratings and people's words become verdicts, verdicts a refined graph (Eq. 15-17)."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy.orm import Session

from services.recsys.data import Interactions
from services.recsys.refine import RefineConfig, Refinement, most_drops, refine
from services.recsys.verdicts import LABELS, MISSING, RatedPairs
from services.shared.db.repos import candidates as candidates_repo
from services.shared.db.repos import verdicts as repo
from services.shared.db.repos.verdicts import NewVerdict
from services.shared.stages import StageName
from services.trainer import spec
from services.trainer.context import Context, Result
from services.trainer.snapshot import files
from services.trainer.snapshot.files import Snapshot
from services.trainer.snapshot.words import Located, locate

REFINED, HARD, VERDICTS = "refined.parquet", "hard.parquet", "verdicts.parquet"


NOT_IN_GRAPH = "not_in_graph"
"""Why a person's word did nothing: the pair's user or item fell out before the split."""


def run(context: Context) -> Result:
    """Judge every candidate and every pair that a person spoke of; write rows and files.

    Of a person's words only the train graph learns: the raw graph stays as the log has it.
    """
    snapshot = files.read(context.folder(StageName.SNAPSHOT))
    split, run_ = snapshot.split, context.run
    said, config = locate(snapshot), spec.refinement(context.spec.params)
    pairs = _with_words(_rated_pairs(context, snapshot), said)
    held_out = split.val.union(split.test)
    refined = refine(split.train, pairs, config=config, held_out=held_out)
    rows = _rows(pairs, refined, snapshot) + _rows_outside(said)
    with context.writing() as draft:
        write(draft.folder, pairs, refined)

    def record(session: Session) -> None:
        repo.replace(session, rows, run_id=run_.id, project_id=run_.project_id)

    told = _figures(split.train, pairs, refined, config)
    told["people"]["not_in_graph"] = len(said.outside)
    return Result(told, draft.manifest, record)


def _rated_pairs(context: Context, snapshot: Snapshot) -> RatedPairs:
    with context.session() as session:
        rows = candidates_repo.rated(session, context.run.id)
    users = {ident: at for at, ident in enumerate(snapshot.user_ids)}
    items = {ident: at for at, ident in enumerate(snapshot.item_ids)}
    labels = [(_label(row.user_label), _label(row.item_label)) for row in rows]
    views = np.array(labels, dtype=np.int8).reshape(-1, 2)
    return RatedPairs(
        users=np.array([users[row.user_id] for row in rows], dtype=np.int64),
        items=np.array([items[row.item_id] for row in rows], dtype=np.int64),
        user_view=views[:, 0],
        item_view=views[:, 1],
        scores=np.array([row.score for row in rows], dtype=np.float64),
    )


def _with_words(rated: RatedPairs, said: Located) -> RatedPairs:
    """Return the candidates, then the pairs that people spoke of, which are none of them."""
    candidates, words = len(rated.users), len(said.users)
    unrated = np.full(words, MISSING, dtype=np.int8)
    return RatedPairs(
        users=np.concatenate([rated.users, said.users]),
        items=np.concatenate([rated.items, said.items]),
        user_view=np.concatenate([rated.user_view, unrated]),
        item_view=np.concatenate([rated.item_view, unrated]),
        scores=np.concatenate([rated.scores, np.zeros(words)]),
        person=np.concatenate([np.full(candidates, ""), said.verdicts]) if words else None,
    )


def _label(word: str | None) -> int:
    """Return the label's number; "unparsed" is no evidence, as if nobody had been asked."""
    return MISSING if word is None else LABELS.get(word, MISSING)


def _rows(pairs: RatedPairs, refined: Refinement, snapshot: Snapshot) -> list[NewVerdict]:
    users, items = snapshot.user_ids, snapshot.item_ids
    said = (refined.is_edge, refined.verdicts, refined.actions, refined.decided_by)
    columns = (pairs.users, pairs.items, *said, pairs.scores, refined.reasons)
    return [
        NewVerdict(
            user_id=users[u],
            item_id=items[i],
            edge=edge,
            verdict=verdict,
            action=action,
            decided_by="person" if decided_by == "person" else "rule",
            score=None if decided_by == "person" else score,
            note=note or None,
        )
        for u, i, edge, verdict, action, decided_by, score, note in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]


def _rows_outside(said: Located) -> list[NewVerdict]:
    return [
        NewVerdict(
            user_id=user,
            item_id=item,
            edge=False,
            verdict=verdict,
            action="none",
            decided_by="person",
            score=None,
            note=NOT_IN_GRAPH,
        )
        for user, item, verdict in said.outside.iter_rows()
    ]


def write(folder: Path, pairs: RatedPairs, refined: Refinement) -> None:
    """Write E' with its weights, C_H, and the verdict of every pair, all by index."""
    _edges(refined.interactions).write_parquet(folder / REFINED)
    _edges(refined.hard).write_parquet(folder / HARD)
    verdicts = {
        "user": pairs.users,
        "item": pairs.items,
        "edge": refined.is_edge,
        "verdict": refined.verdicts.tolist(),
        "action": refined.actions.tolist(),
        "decided_by": refined.decided_by.tolist(),
    }
    words = dict.fromkeys(("verdict", "action", "decided_by"), pl.String)
    types = {"user": pl.Int32, "item": pl.Int32, **words}
    pl.DataFrame(verdicts, schema_overrides=types).write_parquet(folder / VERDICTS)


def _edges(graph: Interactions) -> pl.DataFrame:
    columns = {"user": graph.users, "item": graph.items, "weight": graph.values()}
    return pl.DataFrame(columns).cast({"user": pl.Int32, "item": pl.Int32})


def read_graph(path: Path, like: Interactions) -> Interactions:
    """Return the weighted graph of a file over the users and items of another graph."""
    rows = pl.read_parquet(path)
    return Interactions.build(
        users=rows["user"].to_numpy(),
        items=rows["item"].to_numpy(),
        n_users=like.n_users,
        n_items=like.n_items,
        weights=rows["weight"].to_numpy(),
    )


def _figures(
    train: Interactions, pairs: RatedPairs, refined: Refinement, config: RefineConfig
) -> dict[str, Any]:
    rated, edges = pairs.rated(), refined.is_edge
    agree = (pairs.user_view == pairs.item_view)[rated]
    person = refined.decided_by == "person"
    return {
        "candidates": int((~person).sum()),
        "rated": int(rated.sum()),
        "views_agree": float(agree.mean()) if len(agree) else None,
        "verdicts": {
            "edges": dict(Counter(refined.verdicts[edges].tolist())),
            "non_edges": dict(Counter(refined.verdicts[~edges].tolist())),
        },
        "actions": dict(Counter(refined.actions.tolist())),
        "not_done": dict(Counter(word for word in refined.reasons.tolist() if word)),
        "drops": {
            "wanted": int((refined.wanted_drops() & ~person).sum()),
            "done": int(((refined.actions == "drop") & ~person).sum()),
            "at_most": most_drops(train, config),
        },
        "people": dict(Counter(refined.actions[person].tolist())),
        "edges_before": len(train),
        "edges_after": len(refined.interactions),
    }
