"""The lines of a file of ratings, each looked at before it is believed."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.recsys.verdicts import LABELS, MISSING
from services.shared.errors import InvalidError

PLAIN = "ratings"
"""A file of that name is told by its folder's."""
Ids = Sequence[int | str]
VIEWS = ("user_view", "item_view")
NEEDED = ("user_id", "item_id", *VIEWS)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line, by index."""

    user: int
    item: int
    views: tuple[int, int]
    score: float
    kind: str | None


def called(path: Path) -> str:
    """Return what a file's ratings are called: its stem, or its folder where that says nothing."""
    return (path.resolve().parent.name or path.stem) if path.stem == PLAIN else path.stem


def lines(raw: bytes, path: Path, *, users: Ids, items: Ids) -> list[Line]:
    """Return every rating of a file; InvalidError names the line of the first fault."""
    at = {"user_id": _places(users), "item_id": _places(items)}
    seen: dict[tuple[int, int], int] = {}
    rows = []
    for number, line in enumerate(_texts(raw, path), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        row = _row(_object(line, where), at, where)
        first = seen.setdefault((row.user, row.item), number)
        if first != number:
            raise InvalidError(f"{where}: the pair of line {first} stands there again.")
        rows.append(row)
    return rows


def _row(given: dict[str, object], at: Mapping[str, Mapping[int | str, int]], where: str) -> Line:
    return Line(
        user=_index(given, "user_id", at, where),
        item=_index(given, "item_id", at, where),
        views=(_label(given, VIEWS[0], where), _label(given, VIEWS[1], where)),
        score=_score(given, where),
        kind=_kind(given, where),
    )


def _texts(raw: bytes, path: Path) -> list[str]:
    try:
        # not splitlines: within JSON a reason may hold U+2028 as it is
        return raw.decode("utf-8").split("\n")
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
    known = None
    if isinstance(ident, (int, str)) and not isinstance(ident, bool):  # True is 1 to a dict
        known = at[name].get(ident)
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
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not _finite(score):
        raise InvalidError(f"{where}: score {json.dumps(score)[:40]} is no finite number.")
    return float(score)


def _finite(score: float) -> bool:
    try:
        return math.isfinite(score)
    except OverflowError:  # an integer beyond every float
        return False


def _kind(row: dict[str, object], where: str) -> str | None:
    kind = row.get("kind")
    if kind is not None and not isinstance(kind, str):
        raise InvalidError(f"{where}: kind {json.dumps(kind)[:40]} is no word.")
    return kind
