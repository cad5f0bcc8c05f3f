"""One trial: a way with faults on it, drawn from a seed, and what is to be said of it."""

import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from tests.e2e.house import House
from tests.e2e.shop import Shop
from tests.faults import moments
from tests.faults.checks import Result, result_of, violations
from tests.faults.reader import Reader
from tests.faults.strikes import FAULTS, Fault
from tests.faults.way import Strike, Way
from winnow.errors import StackError

SETTLE_SECONDS = 8.0
"""After a fault that hides the api or Postgres, until the reader must be served again."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Faults by their moments; everything else about them follows from the seed."""

    strikes: tuple[tuple[str, str], ...]  # fault, moment
    seed: int

    @property
    def name(self) -> tuple[str, str, int]:
        """Return what tells this trial from others: faults, moments and seed."""
        faults, moments_ = zip(*self.strikes, strict=True)
        return ", ".join(faults), ", ".join(moments_), self.seed

    def calls_before(self) -> int:
        """Return how many calls pass before the moment `rate`."""
        return self._rng("calls").randrange(8, 180)

    def delay(self, moment: str) -> float:
        """Return the seconds between a moment and the strike; a stage's process begins slowly."""
        return self._rng(f"delay {moment}").uniform(0.0, 2.5 if moment in moments.TRAINED else 0.3)

    def pause(self, moment: str) -> float:
        """Return for how many seconds what was killed stays away."""
        return self._rng(f"pause {moment}").uniform(0.0, 2.0)

    def _rng(self, what: str) -> random.Random:
        return random.Random(f"{what} {self.name}")


@dataclass(kw_only=True)
class Outcome:
    """A trial's line of the table; `wrong` is empty when all held."""

    fault: str
    moment: str
    seed: int
    ending: str = ""
    took: float = 0.0
    recovered: float | None = None
    calls: int = 0
    extra: int = 0
    lost: int = 0
    double: int = 0
    served: int = 0
    missed: int = 0
    troubles: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def name(self) -> tuple[str, str, int]:
        """Return the trial's name."""
        return self.fault, self.moment, self.seed

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A running house, what is uploaded, and the way without a fault."""

    house: House
    shop: Shop
    undisturbed: Way
    reference: Result

    @classmethod
    def prepare(cls, house: House, shop: Shop) -> "Bench":
        """Go the way once without a fault."""
        with Way(house=house, shop=shop, key=house.new_key("undisturbed")) as way:
            way.go()
            reference = result_of(house, run=way.job["id"], dataset=way.dataset)
            wrong = violations(way, reference, again=0)
        assert not wrong, wrong
        return cls(house=house, shop=shop, undisturbed=way, reference=reference)

    def reader(self) -> Reader:
        """Return somebody who is served the undisturbed run's lists."""
        path = f"{self.undisturbed.path}/recommendations/reader-0000?k=10"
        return Reader(self.house.url, self.undisturbed.key, path)

    def run(self, trial: Trial) -> Outcome:
        """Go the way with the fault and check everything; no fault of the stack raises."""
        faults, moments_, seed = trial.name
        outcome = Outcome(fault=faults, moment=moments_, seed=seed)
        way = Way(
            house=self.house,
            shop=self.shop,
            key=self.house.new_key("faults"),
            strikes=strikes_of(trial, self.house),
            calls_before=trial.calls_before(),
        )
        began = time.monotonic()
        with way:
            with self.reader() as reader:
                try:
                    way.go()
                except (AssertionError, StackError) as error:
                    outcome.wrong.append(str(error))
                    outcome.ending = "hangs"
                    self.house.gate.open()
                    self.house.stack.up()
            outcome.took = time.monotonic() - began
            self._tell(outcome, way, reader, [FAULTS[name] for name, _ in trial.strikes])
        return outcome

    def _tell(self, outcome: Outcome, way: Way, reader: Reader, faults: list[Fault]) -> None:
        outcome.served, outcome.missed = reader.served, len(reader.missed)
        outcome.troubles = sorted(set(way.customer.troubles))
        outcome.wrong += sorted(set(reader.wrong))
        outcome.wrong += _unserved(way, reader, hidden=any(fault.hidden for fault in faults))
        if outcome.ending == "hangs":
            return
        paused = [f"paused {reason}" for reason in way.told]
        outcome.ending = ", ".join([*paused, way.job["state"]])
        outcome.calls, outcome.extra = way.paid, way.paid - way.job["progress"]["total"]
        if way.struck_at is not None and way.moved_at is not None:
            outcome.recovered = way.moved_at - way.struck_at
        ours = result_of(self.house, run=way.job["id"], dataset=way.dataset)
        outcome.lost, outcome.double = ours.lost(self.reference), ours.double
        outcome.wrong += violations(way, self.reference, again=sum(fault.again for fault in faults))


def strikes_of(trial: Trial, house: House) -> dict[str, Strike]:
    """Return what a way is to call, by moment."""

    def strike(fault: Fault, moment: str) -> str | None:
        time.sleep(trial.delay(moment))
        return fault.strike(house, moment, trial.pause(moment))

    return {moment: partial(strike, FAULTS[name], moment) for name, moment in trial.strikes}


def _unserved(way: Way, reader: Reader, *, hidden: bool) -> Iterator[str]:
    """Yield a sentence for lists that were not served although nothing hid them."""
    until = (way.struck_at or 0.0) + SETTLE_SECONDS
    late = [what for when, what in reader.missed if not hidden or when > until]
    if late:
        yield f"lists were not served {len(late)} times: {sorted(set(late))}"
