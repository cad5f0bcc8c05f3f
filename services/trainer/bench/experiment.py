"""One shop, five ways to train: what ratings are worth where the truth is known.

`raw` sees the interactions alone; `texts` adds LLMHNI's semantic negatives and losses but no
rating; `local`, `placebo` and `oracle` refine the graph by what the endpoint, chance or the truth
says of the same pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.recsys.evaluate import Evaluation, evaluate
from services.recsys.loop import Fit
from services.recsys.metrics import Floats
from services.recsys.refine import Refinement
from services.recsys.topk import inner_product
from services.recsys.verdicts import RatedPairs
from services.shared.specs import RunSpec
from services.trainer.bench import arms, catching, recipe
from services.trainer.bench.answers import Asked
from services.trainer.bench.catching import RatedEdges
from services.trainer.bench.recipe import Prepared
from services.trainer.bench.shop import Shop

RAW, TEXTS, LOCAL, PLACEBO, ORACLE = ARMS = ("raw", "texts", "local", "placebo", "oracle")
METRICS = ("recall@10", "ndcg@10", "recall@20", "ndcg@20")

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One shop's figures, and every test user's figure under every arm."""

    figures: dict[str, object]
    per_user: dict[str, Floats]  # "arm/metric": (n,), the same users in the same order


async def experiment(shop: Shop, asked: Asked, spec: RunSpec, *, tell: Tell) -> Outcome:
    """Train and judge all arms on one shop; `tell` hears how far it is."""
    tell("vectors")
    texts = await asked.vectors(shop)
    tell("alignment and candidates")
    prepared = recipe.prepare(shop.split, texts, spec)
    said = await asked.views(
        shop, prepared.pairs, on_progress=lambda done, of: tell(f"rating {done} of {of}")
    )
    ratings = _ratings(shop, prepared, said, spec)
    refined = {name: recipe.refined(shop.split, rated, spec) for name, rated in ratings.items()}
    judged: dict[str, Evaluation] = {}
    rows: dict[str, object] = {}
    for arm in ARMS:
        tell(f"training {arm}")
        trained = _train(arm, shop, prepared, refined.get(arm), spec)
        judged[arm] = evaluate(
            inner_product(trained.embeddings), shop.split.test, mask=shop.split.train
        )
        rows[arm] = _told(trained, judged[arm], refined.get(arm))
    figures: dict[str, object] = {
        "pairs": len(prepared.pairs),
        "edges": len(shop.split.train),
        "planted": int(shop.planted.sum()),
        "arms": rows,
        "caught": _caught(shop, prepared, ratings),
    }
    return Outcome(figures=figures, per_user=per_user(judged))


def _ratings(
    shop: Shop, prepared: Prepared, said: arms.Views, spec: RunSpec
) -> dict[str, RatedPairs]:
    pairs, chance = prepared.pairs, recipe.seeds(spec, "placebo").numpy("labels")
    views = {
        LOCAL: said,
        PLACEBO: arms.shuffled(pairs, said, rng=chance),
        ORACLE: arms.truth(pairs, shop.split.train, shop.planted),
    }
    return {name: arms.rated(pairs, labels) for name, labels in views.items()}


def _train(
    arm: str, shop: Shop, prepared: Prepared, refinement: Refinement | None, spec: RunSpec
) -> Fit:
    if arm == RAW:
        return recipe.train_raw(shop.split, spec)
    return recipe.train_denoised(shop.split, prepared, refinement, spec)


def _told(trained: Fit, judged: Evaluation, refinement: Refinement | None) -> dict[str, object]:
    actions = [] if refinement is None else refinement.actions.tolist()
    return {
        "validation": trained.best_value,
        "epoch": trained.best_epoch + 1,
        "graph": trained.graph,
        "dropped": actions.count("drop"),
        "added": actions.count("add"),
        "test": {name: judged.means()[name] for name in METRICS},
    }


def _caught(shop: Shop, prepared: Prepared, ratings: dict[str, RatedPairs]) -> list[catching.Row]:
    edges = RatedEdges.of(prepared.pairs, shop.split.train, shop.planted)
    rows = [catching.by_ratings(name, edges, rated) for name, rated in ratings.items()]
    flags = int(rows[0]["flagged"])
    return rows + catching.by_numbers(edges, prepared.pairs, flags=flags)


def per_user(judged: dict[str, Evaluation]) -> dict[str, Floats]:
    """Return each test user's figures as "arm/metric": (n,)."""
    # safetensors writes the buffer as it lies: a column of a matrix would come back scrambled
    return {
        f"{arm}/{metric}": np.ascontiguousarray(figures.of(metric), dtype=np.float64)
        for arm, figures in judged.items()
        for metric in METRICS
    }
