"""Faults on demand, off by default: what a client of a real endpoint must live through.

Which fault meets a request follows from the prompt's hash and how often that prompt has come, so a
test can repeat it; and after two faulty answers in a row the third is clean, so a client that
retries gets the same labels as from a faultless endpoint. Only `hallucinate` changes a label for
good: it is seeded by the prompt alone. `other_pair` can only be told by a prompt that carries a
reference, which is then another's.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, fields
from typing import Literal

from services.shared.errors import InvalidError

Kind = Literal[
    "rate_limit",
    "rate_limit_date",
    "server_error",
    "drop",
    "malformed",
    "truncated",
    "bad_label",
    "other_pair",
]
KINDS: tuple[Kind, ...] = (
    "rate_limit",  # 429 with Retry-After in seconds
    "rate_limit_date",  # 429 with Retry-After as a date
    "server_error",  # 503
    "drop",  # the connection is cut within the answer
    "malformed",  # the reply is no JSON
    "truncated",  # the reply stops in the middle, finish_reason "length"
    "bad_label",  # the label is none of the three
    "other_pair",  # an answer as good as any, to another question
)
IN_A_ROW = 2
REMEMBERED = 100_000  # prompts whose attempts are counted


@dataclass(frozen=True, kw_only=True)
class FaultPlan:
    """Each kind's share of requests, in [0, 1]; the shares of KINDS sum to at most 1."""

    delay_ms: float = 0.0
    rate_limit: float = 0.0
    rate_limit_date: float = 0.0
    server_error: float = 0.0
    drop: float = 0.0
    malformed: float = 0.0
    truncated: float = 0.0
    bad_label: float = 0.0
    other_pair: float = 0.0
    hallucinate: float = 0.0


def parse_plan(text: str) -> FaultPlan:
    """Return the plan of "delay_ms=50,rate_limit=.05"; InvalidError says what is wrong."""
    known = {field.name for field in fields(FaultPlan)}
    values: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in known or name in values:
            raise InvalidError(f"Fault {name!r} is unknown or named twice; known: {sorted(known)}.")
        values[name] = _number(name, value)
    if sum(values.get(kind, 0.0) for kind in KINDS) > 1:
        raise InvalidError("The shares of the faults sum to more than 1.")
    return FaultPlan(**values)


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise InvalidError(f"Fault {name} needs a number, not {value!r}.") from None
    if not 0 <= number <= (60_000 if name == "delay_ms" else 1):
        raise InvalidError(f"Fault {name}={value} is out of range.")
    return number


class Faults:
    """Draws the fault of each request; counts attempts per prompt, of prompts by hash only."""

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan
        self._seen: OrderedDict[bytes, tuple[int, int]] = OrderedDict()  # attempts, faults in a row

    @property
    def delay_seconds(self) -> float:
        """Return how long every answer waits."""
        return self.plan.delay_ms / 1_000

    def draw(self, prompt: bytes) -> Kind | None:
        """Return the fault of this request, and count it."""
        key = hashlib.sha256(prompt).digest()
        attempt, run = self._seen.pop(key, (0, 0))
        fault = self._pick(share(key, attempt)) if run < IN_A_ROW else None
        self._seen[key] = (attempt + 1, run + 1 if fault else 0)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return fault

    def hallucinates(self, prompt: bytes) -> bool:
        """Tell whether the answer to this prompt is flipped, whenever it is asked."""
        return share(hashlib.sha256(prompt).digest(), -1) < self.plan.hallucinate

    def _pick(self, point: float) -> Kind | None:
        for kind in KINDS:
            point -= getattr(self.plan, kind)
            if point < 0:
                return kind
        return None


def share(key: bytes, attempt: int) -> float:
    """Return a number in [0, 1) that only a prompt's hash and the attempt decide."""
    digest = hashlib.sha256(key + attempt.to_bytes(8, "big", signed=True)).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
