"""What calls cost and what a run may still spend: pure arithmetic on dataclasses.

Money is Decimal US dollars. A price that nobody knows is None and stays None through every sum:
an unknown cost must never look like a free one.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from services.shared.errors import BudgetExceededError, InvalidError

BYTES_PER_TOKEN = 4
"""OpenAI's rule of thumb for English; in UTF-8 bytes it also holds roughly for other scripts."""

TOKENS_PER_MESSAGE = 4
"""Role and separators of one chat message in OpenAI's format."""

LOCAL_PREFIX = "winnow-local-"
"""Models of the embedded endpoint: they run on the user's own machine and cost nothing."""

_MILLION = 1_000_000


def estimate_tokens(text: str) -> int:
    """Return a rough count of tokens, for estimates before the endpoint has counted itself."""
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN)


def estimate_prompt_tokens(contents: Iterable[str]) -> int:
    """Return a rough count of a chat's prompt tokens, from its messages' contents."""
    return sum(estimate_tokens(content) + TOKENS_PER_MESSAGE for content in contents)


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Tokens sent and received."""

    prompt: int = 0
    completion: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            prompt=self.prompt + other.prompt, completion=self.completion + other.completion
        )

    def times(self, count: int) -> "Tokens":
        """Return the tokens of `count` such calls."""
        return Tokens(prompt=self.prompt * count, completion=self.completion * count)


@dataclass(frozen=True, kw_only=True)
class Price:
    """US dollars per million tokens of one model, from a day on."""

    model: str
    valid_from: date
    prompt: Decimal
    completion: Decimal = Decimal(0)

    def of(self, tokens: Tokens) -> Decimal:
        """Return what these tokens cost, in dollars."""
        return (tokens.prompt * self.prompt + tokens.completion * self.completion) / _MILLION


@dataclass(frozen=True)
class PriceTable:
    """Prices of models over time."""

    prices: tuple[Price, ...]

    def on(self, model: str, day: date) -> Price | None:
        """Return the latest price valid on that day; None when it is unknown."""
        if model.startswith(LOCAL_PREFIX):
            return Price(model=model, valid_from=date.min, prompt=Decimal(0))
        known = [p for p in self.prices if p.model == model and p.valid_from <= day]
        return max(known, key=lambda price: price.valid_from, default=None)

    def cost(self, usage: Mapping[str, Tokens], day: date) -> Decimal | None:
        """Return the dollars of tokens by model; None when any model's price is unknown."""
        total = Decimal(0)
        for model, tokens in usage.items():
            price = self.on(model, day)
            if price is None:
                return None
            total += price.of(tokens)
        return total


# OpenAI's list prices of the models that the paper used and of their small sisters
DEFAULT_PRICES = PriceTable(
    (
        Price(
            model="gpt-4o-2024-08-06",
            valid_from=date(2024, 8, 6),
            prompt=Decimal("2.50"),
            completion=Decimal("10.00"),
        ),
        Price(
            model="gpt-4o-mini-2024-07-18",
            valid_from=date(2024, 7, 18),
            prompt=Decimal("0.15"),
            completion=Decimal("0.60"),
        ),
        Price(model="text-embedding-ada-002", valid_from=date(2023, 6, 13), prompt=Decimal("0.10")),
        Price(model="text-embedding-3-small", valid_from=date(2024, 1, 25), prompt=Decimal("0.02")),
    )
)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a run may spend: pairs always, dollars where it says so."""

    pairs: int
    usd: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What is spent and what is held back for batches that have begun."""

    spent_pairs: int = 0
    spent_usd: Decimal = Decimal(0)
    held_pairs: int = 0
    held_usd: Decimal = Decimal(0)


def check_enforceable(budget: Budget, price: Price | None) -> None:
    """Raise InvalidError when the budget counts dollars and the model's price is unknown."""
    if budget.usd is not None and price is None:
        raise InvalidError(
            "The model's price is unknown, so a dollar budget cannot be kept; "
            "leave budget_usd out or add the price.",
            pointer="/budget_usd",
        )


def pairs_left(budget: Budget, ledger: Ledger, *, usd_per_pair: Decimal) -> int:
    """Return how many more pairs fit beside what is spent and held; never below zero."""
    by_count = budget.pairs - ledger.spent_pairs - ledger.held_pairs
    if budget.usd is None or usd_per_pair == 0:
        return max(0, by_count)
    by_money = (budget.usd - ledger.spent_usd - ledger.held_usd) // usd_per_pair
    return max(0, min(by_count, int(by_money)))


def reserve(budget: Budget, ledger: Ledger, *, pairs: int, usd_per_pair: Decimal) -> Ledger:
    """Return the ledger with the pairs held; raises BudgetExceededError when they do not fit."""
    left = pairs_left(budget, ledger, usd_per_pair=usd_per_pair)
    if pairs > left:
        raise BudgetExceededError(f"The budget has room for {left} pairs, {pairs} are asked for.")
    return replace(
        ledger,
        held_pairs=ledger.held_pairs + pairs,
        held_usd=ledger.held_usd + pairs * usd_per_pair,
    )


def settle(
    ledger: Ledger, *, pairs: int, usd_per_pair: Decimal, paid_pairs: int, paid_usd: Decimal
) -> Ledger:
    """Return the ledger with a hold released and what was really paid written down.

    `pairs` and `usd_per_pair` are those of the reservation. What was paid may exceed the hold
    (longer replies than estimated, repeats after a crash) and is counted in full.
    """
    return Ledger(
        spent_pairs=ledger.spent_pairs + paid_pairs,
        spent_usd=ledger.spent_usd + paid_usd,
        held_pairs=ledger.held_pairs - pairs,
        held_usd=ledger.held_usd - pairs * usd_per_pair,
    )
