"""Ratings of any LLM as JSON lines: written, read with an error per line, turned into pairs.

A line is {"user_id", "item_id", "user_view", "item_view"}, labels High, Mid, Low or null where
none was given; "score" orders what the caps cut, "user_reason" and "item_reason" are for readers.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from services.recsys.candidates import Candidates
from services.recsys.topk import NO_ITEM
from services.recsys.verdicts import LABELS, RatedPairs
from services.shared.errors import InvalidError
from services.trainer.bench.arms import Views
from services.trainer.bench.replay_lines import NEEDED, Ids, called, lines

WORDS = {number: word for word, number in LABELS.items()}
LOOKED = frozenset({"heldout_positive"})
"""Values of "kind" of pairs that were picked because they are held out: none may be trained on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Replay:
    """A file's ratings, by index."""

    name: str  # what its rows are called
    stem: str  # of the file: its cells are kept by it
    sha256: str  # of its bytes
    pairs: RatedPairs
    left_out: int  # lines whose pair was picked by looking at validation or test


def read(path: Path, *, users: Ids, items: Ids) -> Replay:
    """Return a file's ratings; `users` and `items` are the dataset's ids in the order of indices.

    Raises InvalidError with file and line for what is no object, misses a field, names somebody
    whom the dataset does not know, has an unknown label or repeats a pair, and for a file
    without ratings.
    """
    if not path.is_file():
        raise InvalidError(f"{path} is no file: ratings are JSON lines with {', '.join(NEEDED)}.")
    raw = path.read_bytes()
    found = lines(raw, path, users=users, items=items)
    kept = [line for line in found if line.kind not in LOOKED]
    if not kept:
        raise InvalidError(f"{path} has no rating that could be used.")
    return Replay(
        name=called(path),
        stem=path.stem,
        sha256=sha256(raw).hexdigest(),
        pairs=RatedPairs(
            users=np.array([line.user for line in kept], dtype=np.int64),
            items=np.array([line.item for line in kept], dtype=np.int64),
            user_view=np.array([line.views[0] for line in kept], dtype=np.int8),
            item_view=np.array([line.views[1] for line in kept], dtype=np.int8),
            scores=np.array([line.score for line in kept], dtype=np.float64),
        ),
        left_out=len(found) - len(kept),
    )


def write(path: Path, pairs: Candidates, views: Views, *, users: Ids, items: Ids) -> None:
    """Write candidates with both views' labels, in their order of priority."""
    columns = (pairs.users, pairs.items, pairs.is_edge, pairs.scores, pairs.history, *views)
    told = [
        json.dumps(
            {
                "user_id": users[u],
                "item_id": items[i],
                "edge": edge,
                "score": round(score, 9),
                "history": [items[j] for j in shelf if j != NO_ITEM],
                "user_view": WORDS.get(by_user),
                "item_view": WORDS.get(by_item),
            }
        )
        for u, i, edge, score, shelf, by_user, by_item in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    half.write_text("\n".join(told) + "\n", encoding="utf-8")
    half.rename(path)
