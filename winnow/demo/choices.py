"""Which of many results are shown: the most suspicious pairs, and the reader most changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from winnow.demo.caught import suspicion_of

Json = dict[str, Any]
TRIED_USERS = 20
TOP = 5


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """One user's two lists of item ids, best first."""

    user_id: str
    raw: tuple[str, ...]
    denoised: tuple[str, ...]


def flagged(verdicts: list[Json], verdict: str, *, count: int) -> list[Json]:
    """Return edges of a verdict, the most suspicious first, of different users where it can."""
    rows = [row for row in verdicts if row["edge"] and row["verdict"] == verdict]
    rows.sort(key=lambda row: (-suspicion_of(row), row["user_id"], row["item_id"]))
    firsts: dict[str, Json] = {}
    for row in rows:
        firsts.setdefault(row["user_id"], row)
    spread = list(firsts.values())
    others = [row for row in rows if firsts[row["user_id"]] is not row]
    return (spread + others)[:count]


def most_flagged_users(verdicts: list[Json]) -> list[str]:
    """Return the users with the most dropped edges, then by id; any user where none was."""
    dropped = Counter(row["user_id"] for row in verdicts if row["action"] == "drop")
    if not dropped:
        return sorted({row["user_id"] for row in verdicts})[:TRIED_USERS]
    return sorted(dropped, key=lambda user: (-dropped[user], user))[:TRIED_USERS]


def most_changed(users: list[str], top: Callable[[str, str], tuple[str, ...]]) -> SideBySide | None:
    """Return the lists of the user whose two lists share the fewest items.

    `top(user, graph)` gives a list of item ids for the graph raw or denoised.
    """
    best: SideBySide | None = None
    for user in users:
        pair = SideBySide(user_id=user, raw=top(user, "raw"), denoised=top(user, "denoised"))
        if best is None or _shared(pair) < _shared(best):
            best = pair
    return best


def _shared(pair: SideBySide) -> int:
    return len(set(pair.raw) & set(pair.denoised))
