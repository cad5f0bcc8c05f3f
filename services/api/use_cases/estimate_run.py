"""Estimate a run without starting it: what it would ask, spend, take, and find answered already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.api.use_cases.check_run import Pinned, check_run
from services.api.use_cases.estimate_eta import longest
from services.api.use_cases.estimate_tokens import PerPair, estimate_tokens
from services.api.use_cases.foresee import Asked, asked, shortfalls
from services.api.use_cases.gather_facts import Facts, gather_facts
from services.api.use_cases.warn_before import Warned, warn_before
from services.shared.clock import utc_now
from services.shared.db.repos import listings, samples, surveys, wordings
from services.shared.db.tables import Dataset, Item, Run, User
from services.shared.errors import InvalidError
from services.shared.llm.budget import BYTES_PER_TOKEN, DEFAULT_PRICES, Tokens
from services.shared.settings import settings
from services.shared.specs import RunSpec
from services.shared.stages import StageName

VIEWS_PER_PAIR = 2

AFTER_RATING = frozenset(
    {
        "lambda_1",
        "lambda_2",
        "max_added_per_item",
        "max_drop_share",
        "positives",
        "rho",
        "rule",
        "tau_de",
        "tau_hal",
    }
)
"""Parameters that no candidate depends on: runs that differ in these alone ask the same."""

TRAINING = (StageName.TRAIN.value, StageName.TRAIN_RAW.value)


@dataclass(frozen=True, kw_only=True)
class Cached:
    """How many calls are answered already; `most` where that is known as a bound only."""

    calls: int
    most: int
    basis: str


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run would come to; tokens and dollars are of the calls that are not cached."""

    dataset_version: int
    llm: str
    embedder: str
    prompt_version: int
    pairs: int
    edges: int
    non_edges: int
    prompts: int
    cached_share: float
    cached_share_at_most: float
    cached_basis: str
    prompt_tokens: int
    completion_tokens: int
    tokens_basis: str
    texts_to_embed: int
    embedding_tokens: int
    usd: float | None
    usd_basis: str
    minutes: float | None
    minutes_basis: str
    warnings: Sequence[Warned]


def estimate_run(session: Session, dataset: Dataset, spec: RunSpec) -> Estimate:
    """Return the estimate; InvalidError, with counts, when the run could not come to an end."""
    pinned = check_run(session, dataset, spec)
    limit = settings().preflight_seconds
    with surveys.within(session, dataset.id, limit, noun="The estimate"):
        facts = gather_facts(session, dataset)
        _refuse_what_no_draw_mends(facts)
        asking = asked(facts.survey, facts.settings.split, spec.params, spec.budget_pairs)
        each = estimate_tokens(
            session,
            dataset.id,
            sample=facts.survey.sample,
            positive=facts.positive,
            shelf=spec.params.K_item,
            llm=pinned.llm,
            prompt_version=pinned.prompt_version,
        )
        before = samples.last_run(session, dataset.id, llm=pinned.llm)
        cached = _cached(session, dataset, spec, pinned, before, asking)
        texts, embedding_tokens = _embedding(session, dataset.id, pinned, facts)
        minutes, minutes_basis = _minutes(session, before, spec, facts, asking, cached)
    paid = 1 - cached.calls / max(VIEWS_PER_PAIR * asking.pairs, 1)
    tokens = _tokens(asking, each, paid)
    usd, usd_basis = _usd(pinned, tokens, embedding_tokens)
    return Estimate(
        dataset_version=dataset.version,
        llm=pinned.llm,
        embedder=pinned.embedder,
        prompt_version=pinned.prompt_version,
        pairs=asking.pairs,
        edges=asking.edges,
        non_edges=asking.non_edges,
        prompts=VIEWS_PER_PAIR * asking.pairs,
        cached_share=round(1 - paid, 4),
        cached_share_at_most=round(cached.most / max(VIEWS_PER_PAIR * asking.pairs, 1), 4),
        cached_basis=cached.basis,
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        tokens_basis=_MEASURED if each.measured else _BY_THUMB,
        texts_to_embed=texts,
        embedding_tokens=embedding_tokens,
        usd=usd,
        usd_basis=usd_basis,
        minutes=minutes,
        minutes_basis=minutes_basis,
        warnings=warn_before(facts),
    )


_MEASURED = "Prompts of sampled users, scaled by what the endpoint counted for answers of before."
_BY_THUMB = (
    f"Prompts of sampled users, at {BYTES_PER_TOKEN} bytes a token: nothing is measured yet."
)


def _refuse_what_no_draw_mends(facts: Facts) -> None:
    """Raise what the snapshot would: here the least degrees and the split have been counted."""
    faults = shortfalls(facts.foreseen, certain=True)
    if faults:
        raise InvalidError(
            "Too little would be left to train and evaluate: "
            + " ".join(fault.detail for fault in faults),
            code="TOO_LITTLE_DATA",
            errors=faults,
        )


def _tokens(asking: Asked, each: PerPair, paid: float) -> Tokens:
    both = each.edge.times(asking.edges) + each.non_edge.times(asking.non_edges)
    return Tokens(prompt=round(both.prompt * paid), completion=round(both.completion * paid))


def _cached(
    session: Session,
    dataset: Dataset,
    spec: RunSpec,
    pinned: Pinned,
    before: Run | None,
    asking: Asked,
) -> Cached:
    """Return what the cache would answer.

    Which pairs are chosen is known for certain only where a run of before chose among the same
    data with the same parameters; else the stored answers are an upper bound and none is counted.
    """
    calls = VIEWS_PER_PAIR * asking.pairs
    stored = samples.usable_answers(
        session, dataset.id, llm=pinned.llm, prompt_version=pinned.prompt_version
    )
    if not stored:
        return Cached(calls=0, most=0, basis="This model has answered nothing here yet.")
    if before is not None and _asks_the_same(before, dataset, spec, pinned):
        figures = listings.figures(session, before.id).get(StageName.RATE.value, {})
        rated = min(int(figures.get("rated", 0)), calls)
        basis = "The last run chose its pairs from the same data by the same parameters."
        return Cached(calls=rated, most=rated, basis=basis)
    basis = (
        f"{stored:,} answers are stored whose texts have not changed since; how many of them fit "
        "is known once the pairs are chosen."
    )
    return Cached(calls=0, most=min(stored, calls), basis=basis)


def _asks_the_same(before: Run, dataset: Dataset, spec: RunSpec, pinned: Pinned) -> bool:
    same_data = (before.dataset_version, before.dataset_settings) == (
        dataset.version,
        dataset.settings,
    )
    same_models = (before.embedder, before.prompt_version) == (
        pinned.embedder,
        pinned.prompt_version,
    )
    return same_data and same_models and _choosing(before.spec) == _choosing(spec.to_json())


def _choosing(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what candidates depend on; a preset stands for the fields that it fills in."""
    params = {
        name: value
        for name, value in spec.get("params", {}).items()
        if name not in AFTER_RATING and name != "preset"
    }
    kept = ("method", "backbone", "seed", "budget_pairs")
    return {**{name: spec.get(name) for name in kept}, "params": params}


def _embedding(session: Session, dataset_id: UUID, pinned: Pinned, facts: Facts) -> tuple[int, int]:
    """Return texts without a vector yet and their tokens; composed texts count as new ones."""
    found = [
        wordings.unembedded(session, table, dataset_id, model=pinned.embedder)
        for table in (User, Item)
    ]
    composed = facts.survey.composable
    median = facts.texts["items"].median_chars or 0
    texts = sum(count for count, _ in found) + composed
    size = sum(size for _, size in found) + composed * 5 * min(median, 400)
    return texts, round(size / BYTES_PER_TOKEN)


def _usd(pinned: Pinned, tokens: Tokens, embedding_tokens: int) -> tuple[float | None, str]:
    today = utc_now().date()
    for noun, model in (("language model", pinned.llm), ("embedder", pinned.embedder)):
        if DEFAULT_PRICES.on(model, today) is None:
            return None, f"The price of the {noun} {model!r} is unknown."
    asking = DEFAULT_PRICES.cost({pinned.llm: tokens}, today)
    embedding = DEFAULT_PRICES.cost({pinned.embedder: Tokens(prompt=embedding_tokens)}, today)
    assert asking is not None and embedding is not None  # noqa: S101, PT018 - both prices are known
    return float(asking + embedding), "At the list prices of today; retries come on top."


def _minutes(
    session: Session,
    before: Run | None,
    spec: RunSpec,
    facts: Facts,
    asking: Asked,
    cached: Cached,
) -> tuple[float | None, str]:
    """Return the longest path through the stages at the rates of the last run.

    Rating is scaled by its calls, training by epochs and pairs, the rest is taken as it was.
    """
    if before is None:
        return None, "No run of this dataset by this language model has ended yet."
    if before.spec.get("backbone", RunSpec().backbone) != spec.backbone:
        return None, "The last run trained another backbone."
    seconds = listings.seconds_of(session, before.id)
    figures = listings.figures(session, before.id)
    rated = figures.get(StageName.RATE.value, {})
    asked_then = int(rated.get("calls", 0)) - int(rated.get("cached", 0))
    calls = VIEWS_PER_PAIR * asking.pairs - cached.calls
    if calls and not asked_then:
        return None, "The last run found every answer stored: how fast the model is, is not known."
    if asked_then:
        seconds[StageName.RATE.value] *= calls / asked_then
    epochs = spec.params.epochs / max(before.spec.get("params", {}).get("epochs", 1), 1)
    pairs = facts.foreseen.parts["train"].pairs.mean / max(
        figures.get(StageName.SNAPSHOT.value, {}).get("train", 1), 1
    )
    for stage in TRAINING:
        seconds[stage] = seconds.get(stage, 0.0) * epochs * pairs
    return round(longest(seconds) / 60, 2), "At the rates of the dataset's last run."
