"""An unknown price is never a free one, and a run never holds more than it may spend."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shared.errors import BudgetExceededError, InvalidError
from services.shared.llm.budget import (
    DEFAULT_PRICES,
    Budget,
    Ledger,
    Price,
    PriceTable,
    Tokens,
    check_enforceable,
    estimate_prompt_tokens,
    estimate_tokens,
    pairs_left,
    reserve,
    settle,
)

GPT_4O = "gpt-4o-2024-08-06"
OLD = Price(model="m", valid_from=date(2025, 1, 1), prompt=Decimal(10), completion=Decimal(20))
NEW = Price(model="m", valid_from=date(2026, 1, 1), prompt=Decimal(1), completion=Decimal(2))
TABLE = PriceTable((NEW, OLD))


def test_tokens_are_a_quarter_of_the_bytes_rounded_up() -> None:
    assert [estimate_tokens(text) for text in ("", "a", "abcd", "abcde", "日本")] == [0, 1, 1, 2, 2]
    assert estimate_prompt_tokens(["abcd", "abcde"]) == 1 + 2 + 2 * 4


def test_a_million_and_a_half_tokens_cost_what_the_price_list_says() -> None:
    price = DEFAULT_PRICES.on(GPT_4O, date(2025, 6, 1))
    assert price is not None
    # 1.0 M at $2.50 and 0.5 M at $10.00
    assert price.of(Tokens(prompt=1_000_000, completion=500_000)) == Decimal("7.50")


@pytest.mark.parametrize(
    ("day", "price"),
    [
        (date(2024, 12, 31), None),
        (date(2025, 1, 1), OLD),
        (date(2025, 12, 31), OLD),
        (date(2026, 1, 1), NEW),
    ],
)
def test_the_price_of_a_day_is_the_latest_one_valid_then(day: date, price: Price | None) -> None:
    assert TABLE.on("m", day) == price


def test_one_unknown_price_makes_the_sum_unknown() -> None:
    day = date(2026, 5, 1)
    known = {"m": Tokens(prompt=1_000_000)}
    assert TABLE.cost(known, day) == Decimal(1)
    assert TABLE.cost({**known, "stranger": Tokens(prompt=1)}, day) is None


def test_the_embedded_endpoints_models_are_free_on_any_day() -> None:
    usage = {"winnow-local-rater": Tokens(prompt=10**9, completion=10**9)}
    assert TABLE.cost(usage, date(1999, 1, 1)) == 0


def test_a_dollar_budget_without_a_price_is_refused() -> None:
    with pytest.raises(InvalidError) as caught:
        check_enforceable(Budget(pairs=1, usd=Decimal(1)), None)
    assert caught.value.pointer == "/budget_usd"
    check_enforceable(Budget(pairs=1), None)
    check_enforceable(Budget(pairs=1, usd=Decimal(1)), NEW)


def test_the_tighter_of_pairs_and_dollars_decides() -> None:
    ledger = Ledger(
        spent_pairs=10, spent_usd=Decimal("0.10"), held_pairs=5, held_usd=Decimal("0.05")
    )
    cent = Decimal("0.01")
    assert pairs_left(Budget(pairs=100), ledger, usd_per_pair=cent) == 85
    assert pairs_left(Budget(pairs=100, usd=Decimal("0.20")), ledger, usd_per_pair=cent) == 5
    assert pairs_left(Budget(pairs=16, usd=Decimal(9)), ledger, usd_per_pair=cent) == 1
    assert pairs_left(Budget(pairs=3, usd=Decimal(9)), ledger, usd_per_pair=cent) == 0
    assert pairs_left(Budget(pairs=100, usd=Decimal("0.01")), ledger, usd_per_pair=cent) == 0
    assert (
        pairs_left(Budget(pairs=100, usd=Decimal("0.01")), Ledger(), usd_per_pair=Decimal(0)) == 100
    )


def test_what_is_held_and_paid_is_written_down_to_the_cent() -> None:
    budget, cent = Budget(pairs=10, usd=Decimal("0.10")), Decimal("0.01")
    held = reserve(budget, Ledger(), pairs=6, usd_per_pair=cent)
    assert held == Ledger(held_pairs=6, held_usd=Decimal("0.06"))
    with pytest.raises(BudgetExceededError, match="room for 4 pairs, 5"):
        reserve(budget, held, pairs=5, usd_per_pair=cent)
    paid = settle(held, pairs=6, usd_per_pair=cent, paid_pairs=6, paid_usd=Decimal("0.08"))
    assert paid == Ledger(spent_pairs=6, spent_usd=Decimal("0.08"))
    assert pairs_left(budget, paid, usd_per_pair=cent) == 2


@given(
    st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=30),
    st.integers(1, 200),
    st.decimals("0.01", "5", places=2),
)
def test_no_series_of_holds_and_payments_passes_the_budget(
    steps: list[tuple[int, bool]], pairs: int, usd: Decimal
) -> None:
    budget, ledger, cost = Budget(pairs=pairs, usd=usd), Ledger(), Decimal("0.03")
    holds: list[int] = []
    for count, pay in steps:
        if pay and holds:
            done = holds.pop()
            ledger = settle(
                ledger, pairs=done, usd_per_pair=cost, paid_pairs=done, paid_usd=done * cost
            )
        elif count <= pairs_left(budget, ledger, usd_per_pair=cost):
            ledger = reserve(budget, ledger, pairs=count, usd_per_pair=cost)
            holds.append(count)
        assert ledger.spent_pairs + ledger.held_pairs <= pairs
        assert ledger.spent_usd + ledger.held_usd <= usd
        assert ledger.held_pairs == sum(holds)


def test_tokens_add_and_multiply() -> None:
    one = Tokens(prompt=3, completion=2)
    assert one + one == one.times(2) == Tokens(prompt=6, completion=4)
