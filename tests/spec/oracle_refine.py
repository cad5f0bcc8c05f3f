"""Refining a graph in slow plain Python: one pair after the other, dictionaries and sets."""

from typing import NamedTuple

Pair = tuple[int, int]


class Said(NamedTuple):
    """What was said of one pair: two labels (None where missing), a score, a person's word."""

    pair: Pair
    user_view: str | None
    item_view: str | None
    score: float
    person: str


def verdict(said: Said, edges: set[Pair]) -> str:
    """Read the table of verdicts."""
    if said.person:
        return said.person
    views = [said.user_view, said.item_view]
    if None in views:
        return "unsure"
    if views == ["High", "High"]:
        return "hard"
    if "Low" in views and "High" not in views:
        return "noise" if said.pair in edges else "clean"
    return "unsure"


def unwanted(said: Said, edges: set[Pair], rule: str) -> bool:
    """Say whether the rule would drop this pair."""
    if said.pair not in edges:
        return False
    if said.person or rule == "conservative":
        return verdict(said, edges) == "noise"
    rated = None not in (said.user_view, said.item_view)
    return rule == "paper" and rated and verdict(said, edges) != "hard"


def refine(
    edges: set[Pair],
    pairs: list[Said],
    *,
    rule: str,
    max_dropped: int,
    max_added: int,
    held_out: frozenset[Pair] = frozenset(),
) -> list[tuple[str, str]]:
    """Return (action, reason) of each pair in the given order."""
    points = {"Low": 0, "Mid": 1, "High": 2, None: -1}
    certain = sorted(
        (
            not said.person,
            points[said.user_view] + points[said.item_view],
            said.score,
            place,
        )
        for place, said in enumerate(pairs)
        if unwanted(said, edges, rule)
    )
    outcome = [("keep" if said.pair in edges else "none", "") for said in pairs]
    left, dropped = set(edges), 0
    gone: dict[int, int] = {}
    for _, _, _, place in certain:
        said = pairs[place]
        user = said.pair[0]
        if sum(1 for someone, _ in edges if someone == user) - gone.get(user, 0) == 1:
            outcome[place] = ("keep", "last_edge")
            continue
        gone[user] = gone.get(user, 0) + 1
        if not said.person and dropped == max_dropped:
            outcome[place] = ("keep", "share_cap")
            continue
        dropped += not said.person
        left.discard(said.pair)
        outcome[place] = ("drop", "")
    added: dict[int, int] = {}
    for _, place in sorted((-said.score, place) for place, said in enumerate(pairs)):
        said = pairs[place]
        if said.pair in edges or verdict(said, edges) != "hard":
            continue
        item = said.pair[1]
        if said.person and said.pair in held_out:
            outcome[place] = ("none", "held_out")
            continue
        if not said.person and added.get(item, 0) == max_added:
            outcome[place] = ("none", "item_cap")
            continue
        added[item] = added.get(item, 0) + (not said.person)
        outcome[place] = ("add", "")
    return outcome
