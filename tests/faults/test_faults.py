"""A sample of the fault series: one way on which six things break. `make soak` tries them all."""

from collections.abc import Iterator

import pytest

from tests.e2e import house as houses
from tests.e2e import shop as shops
from tests.faults import table
from tests.faults.settings import SETTINGS
from tests.faults.trial import Bench, Trial

pytestmark = pytest.mark.e2e

SEED = 1
SAMPLE = Trial(
    strikes=(
        ("api killed", "posting"),
        ("Valkey wiped", "queued"),
        ("trainer killed", "pretrain"),
        ("Valkey killed", "rate"),
        ("Postgres killed", "train"),
        ("Valkey restarted", "evaluate"),
    ),
    seed=SEED,
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A running stack that has gone the way once without a fault."""
    shop = shops.write(tmp_path_factory.mktemp("shop"))
    with houses.running(tmp_path_factory.mktemp("faults") / "home", **SETTINGS) as house:
        yield Bench.prepare(house, shop)


def test_a_run_on_which_six_things_break_ends_as_one_without(bench: Bench) -> None:
    outcome = bench.run(SAMPLE)
    told = f"{' | '.join(table.cells(outcome))}; asked again after {outcome.troubles}"
    assert outcome.wrong == [], told
    assert (outcome.ending, outcome.lost, outcome.double) == ("succeeded", 0, 0), told
