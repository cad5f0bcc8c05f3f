"""Ratings of any LLM as JSON lines: written, read with an error per line, turned into pairs.

A line is {"user_id", "item_id", "user_view", "item_view"}, labels High, Mid, Low or null where
none was given; "score" orders what the caps cut, "user_reason" and "item_reason" are for readers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from services.recsys.candidates import Candidates
from services.recsys.topk import NO_ITEM
from services.recsys.verdicts import LABELS, MISSING, RatedPairs
from services.shared.errors import InvalidError
from services.trainer.bench.arms import Views

Ids = Sequence[int | str]
VIEWS = ("user_view", "item_view")
NEEDED = ("user_id", "item_id", *VIEWS)
WORDS = {number: word for word, number in LABELS.items()}
LOOKED = frozenset({"heldout_positive"})
"""Values of "kind" of pairs that were picked because they are held out: none may be trained on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Replay:
    """A file's ratings, by index."""

    name: str  # of the file, without its ending
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
    rows = _rows(raw, path, {"user_id": _places(users), "item_id": _places(items)})
    kept = [row for row in rows if row.kind not in LOOKED]
    if not kept:
        raise InvalidError(f"{path} has no rating that could be used.")
    return Replay(
        name=path.stem,
        sha256=sha256(raw).hexdigest(),
        pairs=RatedPairs(
            users=np.array([row.user for row in kept], dtype=np.int64),
            items=np.array([row.item for row in kept], dtype=np.int64),
            user_view=np.array([row.views[0] for row in kept], dtype=np.int8),
            item_view=np.array([row.views[1] for row in kept], dtype=np.int8),
            scores=np.array([row.score for row in kept], dtype=np.float64),
        ),
        left_out=len(rows) - len(kept),
    )


def write(path: Path, pairs: Candidates, views: Views, *, users: Ids, items: Ids) -> None:
    """Write candidates with both views' labels, in their order of priority."""
    columns = (pairs.users, pairs.items, pairs.is_edge, pairs.scores, pairs.history, *views)
    lines = [
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
    half.write_text("\n".join(lines) + "\n", encoding="utf-8")
    half.rename(path)


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One line, by index."""

    user: int
    item: int
    views: tuple[int, int]
    score: float
    kind: object


def _rows(raw: bytes, path: Path, at: Mapping[str, Mapping[int | str, int]]) -> list[_Row]:
    seen: dict[tuple[int, int], int] = {}
    rows = []
    for number, line in enumerate(_lines(raw, path), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        row = _row(_object(line, where), at, where)
        first = seen.setdefault((row.user, row.item), number)
        if first != number:
            raise InvalidError(f"{where}: the pair of line {first} stands there again.")
        rows.append(row)
    return rows


def _row(given: dict[str, object], at: Mapping[str, Mapping[int | str, int]], where: str) -> _Row:
    return _Row(
        user=_index(given, "user_id", at, where),
        item=_index(given, "item_id", at, where),
        views=(_label(given, VIEWS[0], where), _label(given, VIEWS[1], where)),
        score=_score(given, where),
        kind=given.get("kind"),
    )


def _lines(raw: bytes, path: Path) -> list[str]:
    try:
        return raw.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        number = raw[: error.start].count(b"\n") + 1
        raise InvalidError(f"{path}, line {number}: not UTF-8.") from None


def _places(ids: Ids) -> dict[int | str, int]:
    return {one: at for at, one in enumerate(ids)}


def _object(line: str, where: str) -> dict[str, object]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidError(f"{where}: no JSON ({error}).") from None
    if not isinstance(row, dict):
        raise InvalidError(f"{where}: an object is wanted, this is {json.dumps(row)[:40]}.")
    absent = [name for name in NEEDED if name not in row]
    if absent:
        raise InvalidError(f"{where}: {', '.join(absent)} is missing.")
    return row


def _index(
    row: dict[str, object], name: str, at: Mapping[str, Mapping[int | str, int]], where: str
) -> int:
    ident = row[name]
    known = at[name].get(ident) if isinstance(ident, (int, str)) else None
    if known is None:
        raise InvalidError(f"{where}: {name} {json.dumps(ident)} is not in the dataset.")
    return known


def _label(row: dict[str, object], view: str, where: str) -> int:
    word = row[view]
    if word is None:
        return MISSING
    if not isinstance(word, str) or word not in LABELS:
        raise InvalidError(
            f"{where}: {view} {json.dumps(word)} is none of {', '.join(LABELS)}, null."
        )
    return LABELS[word]


def _score(row: dict[str, object], where: str) -> float:
    score = row.get("score", 0.0)
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not np.isfinite(score):
        raise InvalidError(f"{where}: score {json.dumps(score)} is no finite number.")
    return float(score)
