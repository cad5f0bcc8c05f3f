"""What a run will meet, told from counts alone: its parts, who can be judged, what it will ask.

A split by time or by an uploaded column was read pair by pair: exact. A random split draws each
pair by a hash that only the snapshot computes, so its figures are means over all draws, and the
standard deviation tells how far one strays.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.api.use_cases.check_extent import MIN_ITEMS, MIN_JUDGED, MIN_USERS
from services.shared.db.repos.surveys import PARTS, Degrees, Survey
from services.shared.errors import Fault
from services.shared.specs import LlmhniParams, Split

EDGE_SHARE = 0.8
"""Of the budget, what edges may claim first: recsys' CandidateConfig.positive_share."""

CERTAIN = 6.0
"""Standard deviations that no draw strays: one in a thousand million."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """A count, or the mean of one over a random split's draws with its standard deviation."""

    mean: float
    spread: float = 0.0

    @property
    def most(self) -> float:
        """Return what no draw exceeds."""
        return self.mean + CERTAIN * self.spread


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the split."""

    pairs: Number
    users: Number
    items: Number


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """The split's parts by name, and users of the train part by how many pairs they keep there."""

    exact: bool
    parts: Mapping[str, Part]
    everything: bool  # somebody trains on every item there is


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Pairs that a run would ask about; `unbounded` is what it would ask without its budget."""

    edges: int
    non_edges: int
    unbounded: int

    @property
    def pairs(self) -> int:
        """Return both kinds together."""
        return self.edges + self.non_edges


def foresee(found: Survey, split: Split) -> Foreseen:
    """Return the parts that the split makes of what the core leaves."""
    parts = {part: _part(found, split, part) for part in PARTS}
    items, exact = size(found.core_items), split.kind != "random"
    most = max(found.part_users.get("train", {}), default=0) if exact else 0
    return Foreseen(exact=exact, parts=parts, everything=exact and 0 < items <= most)


def shortfalls(foreseen: Foreseen, *, certain: bool = False) -> list[Fault]:
    """Return what a run lacks by the snapshot's rules; `certain`: only what no draw can mend."""
    train, val, test = (foreseen.parts[part] for part in PARTS)
    wanted = [
        (train.users, "users with training interactions", MIN_USERS),
        (train.items, "items with training interactions", MIN_ITEMS),
        (val.users, "users with validation items", MIN_JUDGED),
        (test.users, "users with test items", MIN_JUDGED),
    ]
    faults = [
        Fault(
            code="TOO_LITTLE_DATA",
            detail=f"{_written(number)} {what}, {least} are needed.",
        )
        for number, what, least in wanted
        if (number.most if certain else number.mean) < least
    ]
    if foreseen.everything:
        detail = "A user has taken every item: nothing is left to recommend."
        faults.append(Fault(code="TOO_LITTLE_DATA", detail=detail))
    return faults


def asked(found: Survey, split: Split, params: LlmhniParams, budget_pairs: int) -> Asked:
    """Return the candidates of Eq. 12 that fit the budget, as recsys' choose_candidates does.

    Exact where the budget binds or the split is exact, else a mean; people's words, which take
    pairs from the candidates, are not looked at.
    """
    items = size(found.core_items)
    edges = _sum_trained(found, split, lambda n: _lowest(n, params.n2), cap=params.n2)
    non_edges = _sum_trained(found, split, lambda n: min(params.n1, items - n) if n else 0)
    low, high = round(edges), round(non_edges)
    first = min(low, round(EDGE_SHARE * budget_pairs))
    taken = min(high, budget_pairs - first)
    return Asked(edges=min(low, budget_pairs - taken), non_edges=taken, unbounded=low + high)


def size(degrees: Degrees) -> int:
    """Return how many users (or items) there are."""
    return sum(degrees.values())


def total(degrees: Degrees) -> int:
    """Return how many pairs they hold together."""
    return sum(degree * number for degree, number in degrees.items())


def _lowest(pairs: int, n2: int) -> int:
    return min(n2, pairs) if pairs > 1 else 0  # who has a single pair keeps it unasked


def _part(found: Survey, split: Split, part: str) -> Part:
    if split.kind == "random":
        return _drawn(found, _share(split, part))
    users = found.part_users.get(part, {})
    return Part(
        pairs=Number(mean=total(users)),
        users=Number(mean=size(users)),
        items=Number(mean=found.part_items.get(part, 0)),
    )


def _drawn(found: Survey, share: float) -> Part:
    pairs = total(found.core_users)
    return Part(
        pairs=Number(mean=pairs * share, spread=math.sqrt(pairs * share * (1 - share))),
        users=_touched(found.core_users, share),
        items=_touched(found.core_items, share),
    )


def _touched(degrees: Degrees, share: float) -> Number:
    """Return how many have at least one of their pairs drawn, each with chance `share`."""
    chances = [(number, 1 - (1 - share) ** degree) for degree, number in degrees.items()]
    return Number(
        mean=sum(number * chance for number, chance in chances),
        spread=math.sqrt(sum(number * chance * (1 - chance) for number, chance in chances)),
    )


def _share(split: Split, part: str) -> float:
    return {"val": split.val, "test": split.test, "train": 1 - split.val - split.test}[part]


def _sum_trained(
    found: Survey, split: Split, value: Callable[[int], int], *, cap: int | None = None
) -> float:
    """Return the sum of `value` over the users' numbers of train pairs.

    Under a random split these are binomial; `cap` names the number from which `value` is constant,
    without one it is taken at the mean.
    """
    if split.kind != "random":
        kept = found.part_users.get("train", {})
        return sum(number * value(degree) for degree, number in kept.items())
    share = _share(split, "train")
    return sum(
        number * _mean_value(degree, share, value, cap)
        for degree, number in found.core_users.items()
    )


def _mean_value(degree: int, share: float, value: Callable[[int], int], cap: int | None) -> float:
    """Return E[value(D)] of a binomial D."""
    if cap is None or share == 1:
        return (1 - (1 - share) ** degree) * value(max(1, round(degree * share)))
    top = min(cap, degree)
    rest, mean = 1.0, 0.0
    for drawn in range(top):
        chance = _chance(drawn, degree, share)
        rest, mean = rest - chance, mean + chance * value(drawn)
    return mean + max(rest, 0.0) * value(top)


def _chance(drawn: int, degree: int, share: float) -> float:
    """Return P(D = drawn); by logarithms, since the coefficient alone exceeds every float."""
    ways = math.lgamma(degree + 1) - math.lgamma(drawn + 1) - math.lgamma(degree - drawn + 1)
    return math.exp(ways + drawn * math.log(share) + (degree - drawn) * math.log(1 - share))


def _written(number: Number) -> str:
    return f"{number.mean:.0f}" if not number.spread else f"about {number.mean:.0f}"
