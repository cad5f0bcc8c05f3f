"""The bookshop bench: generate shops, run the experiment on each, resume where it stopped."""

import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from services.shared.specs import LlmhniParams, RunSpec
from services.trainer.bench import comparisons, endpoint, kept, report, shop
from services.trainer.bench.answers import Asked
from services.trainer.bench.experiment import Outcome, experiment

RECIPE = RunSpec(
    params=LlmhniParams(
        n1=2,
        n2=4,
        B=512,
        epochs=30,
        patience=8,
        lambda_1=0.0,
        lambda_2=0.0,
        edge_scores="leave_one_out",  # as in the printed tables: plausibility came later
    ),
    budget_pairs=6_000,
)
"""The demo's pairs. At the default B = 2048 an epoch of a shop is eight steps, and at lambda = .1
the two contrasts cost on a shop what denoising gains. Chosen on validation; docs/log.md has all
tries."""


def run(
    out: Path, *, seeds: Sequence[int], spec: RunSpec = RECIPE, sizes: tuple[str, ...] = ()
) -> list[comparisons.Figure]:
    """Return the report's figures; shops whose outcome stands under `out` are not run again."""
    out.mkdir(parents=True, exist_ok=True)
    with endpoint.serving(out / "local_llm.log") as client:
        asked = Asked(client, endpoint.about(client), out / "answers")
        outcomes = asyncio.run(_all(out, asked, seeds, spec, sizes))
    rows = comparisons.figures(outcomes)
    report.write(out, rows, spec)
    return rows


async def _all(
    out: Path, asked: Asked, seeds: Sequence[int], spec: RunSpec, sizes: tuple[str, ...]
) -> dict[int, Outcome]:
    async with asked.client:
        return {seed: await _one(out / f"shop-{seed}", asked, seed, spec, sizes) for seed in seeds}


async def _one(
    folder: Path, asked: Asked, seed: int, spec: RunSpec, sizes: tuple[str, ...]
) -> Outcome:
    own = spec.model_copy(update={"seed": seed})
    plan = kept.plan_of(own, names=asked.names, sizes=sizes)
    done = kept.load(folder, plan)
    if done is not None:
        _tell(f"shop {seed}: done before")
        return done
    data = shop.generate(folder / "data", seed=seed, sizes=sizes)
    outcome = await experiment(shop.read(data), asked, own, tell=_Teller(f"shop {seed}"))
    kept.save(folder, plan, outcome)
    shutil.rmtree(data)  # a second to make again
    return outcome


class _Teller:
    """Says how far a shop is: every stage, and a count at most every two seconds."""

    def __init__(self, name: str) -> None:
        self._name, self._last, self._stage = name, 0.0, ""

    def __call__(self, words: str) -> None:
        stage, now = words.split(" ", maxsplit=1)[0], time.monotonic()
        if stage != self._stage or stage == "training" or now - self._last > 2:
            self._stage, self._last = stage, now
            _tell(f"{self._name}: {words}")


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
