"""An estimate beside the run that it speaks of, rated by the local endpoint."""

import pytest

from services.shared.stages import StageName
from tests.pipeline.line import PARAMS, Line
from winnow.bookshop.shop import make_shop

pytestmark = pytest.mark.stack
READERS, BOOKS, BUDGET = 60, 60, 150
WITHIN = 0.10
"""How far an estimate of tokens may be off before anything was measured."""

WITHIN_MEASURED = 0.05
"""And after a run has told how the endpoint counts."""


def _fill(line: Line) -> None:
    shop = make_shop(11, readers=READERS, books=BOOKS)
    line.fill(
        [(shop.readers[p.reader].id, shop.books[p.book].id) for p in shop.purchases],
        users={reader.id: reader.text for reader in shop.readers},
        items={book.id: book.text for book in shop.books},
    )


def test_an_estimate_comes_to_what_the_run_comes_to(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    _fill(line)
    spec = {"params": PARAMS, "budget_pairs": BUDGET, "seed": 1}
    before = line.estimate(**spec)
    assert (before.usd, before.minutes, before.cached_share) == (0.0, None, 0.0)
    assert before.minutes_basis.startswith("No run of this dataset")
    run_id = line.run(**spec)
    rated, chosen = (line.figures(run_id, name) for name in (StageName.RATE, StageName.CANDIDATES))
    assert (before.pairs, before.prompts) == (chosen["pairs"], rated["calls"]) == (150, 300)
    assert (before.edges, before.non_edges) == (chosen["edges"], chosen["non_edges"])
    prompt, completion = line.tokens(run_id)
    off = before.prompt_tokens / prompt - 1
    with capsys.disabled():
        print(f"\nprompt tokens: estimated {before.prompt_tokens:,}, used {prompt:,}: {off:+.1%}")  # noqa: T201 - the figure
    assert abs(off) <= WITHIN
    assert 0.5 <= before.completion_tokens / completion <= 2

    same = line.estimate(**spec)
    assert (same.cached_share, same.prompt_tokens) == (1.0, 0)
    assert same.minutes is not None
    assert same.texts_to_embed == 0

    other = {**spec, "seed": 2, "budget_pairs": 140}
    after = line.estimate(**other)
    assert (after.cached_share, after.pairs) == (0.0, 140)
    assert after.cached_share_at_most == 1.0
    assert "known once the pairs are chosen" in after.cached_basis
    assert after.minutes is not None
    again = line.run(until=StageName.RATE, **other)
    cached = line.figures(again, StageName.RATE)["cached"]
    prompt, completion = line.tokens(again)
    off = after.prompt_tokens / prompt - 1
    with capsys.disabled():
        print(f"after a run: {off:+.1%}; {cached} of {after.prompts} came from the cache")  # noqa: T201 - as above
    assert abs(off) <= WITHIN_MEASURED
    assert after.completion_tokens / completion == pytest.approx(1, rel=0.1)
    assert cached <= after.cached_share_at_most * after.prompts
