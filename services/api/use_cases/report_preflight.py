"""What a dataset holds and what a run would make of it, before anything is spent."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.api.use_cases.foresee import Asked, Foreseen, asked, size, total
from services.api.use_cases.gather_facts import Facts, gather_facts
from services.api.use_cases.read_texts import Side
from services.api.use_cases.spread_of import Spread, spread_of
from services.api.use_cases.warn_before import Warned, warn_before
from services.shared.clock import utc_now
from services.shared.db.repos import logs, surveys
from services.shared.db.repos.logs import Events, Repeats
from services.shared.db.repos.surveys import Survey
from services.shared.db.tables import Dataset
from services.shared.settings import settings
from services.shared.specs import DatasetSettings, RunSpec


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """The report; the api's schema names and explains its parts."""

    dataset_version: int
    made_at: datetime
    seconds: float
    counts: Mapping[str, Any]
    degrees: Mapping[str, Spread | None]
    duplicates: Repeats
    heavy_users: Mapping[str, Any]
    untouched: Mapping[str, Any]
    timestamps: Mapping[str, Any]
    types: Sequence[Mapping[str, Any]]
    values: Mapping[str, Any]
    texts: Mapping[str, Side]
    core: Mapping[str, Any]
    split: Mapping[str, Any]
    trainable: Mapping[str, Any]
    run: Mapping[str, Any]
    warnings: Sequence[Warned]


def report_preflight(session: Session, dataset: Dataset) -> Preflight:
    """Return the report; UnavailableError when the log is too long for the time there is."""
    begun = time.perf_counter()
    limit = settings().preflight_seconds
    with surveys.within(session, dataset.id, limit, noun="The preflight report"):
        facts = gather_facts(session, dataset)
        types = logs.types(session, dataset.id)
        values = logs.values(session, dataset.id)
    found, spec = facts.survey, RunSpec()
    asking = asked(found, facts.settings.split, spec.params, spec.budget_pairs)
    return Preflight(
        dataset_version=dataset.version,
        made_at=utc_now(),
        counts=_counts(facts.events, found),
        degrees={"users": spread_of(found.users), "items": spread_of(found.items)},
        duplicates=facts.repeats,
        heavy_users=_heavy(facts),
        untouched={**found.untouched, "item_ids": found.untouched_items},
        timestamps=_timestamps(facts.events, facts.settings),
        types=[{"type": name, "events": number} for name, number in types],
        values=_values(facts.events, values),
        texts=facts.texts,
        core=_core(found, facts.settings),
        split=_split(facts.foreseen, facts.settings),
        trainable=_trainable(facts),
        run=_run(asking, spec),
        warnings=warn_before(facts),
        seconds=round(time.perf_counter() - begun, 3),
    )


def _counts(events: Events, found: Survey) -> dict[str, Any]:
    users, items, pairs = size(found.users), size(found.items), total(found.users)
    return {
        "events": events.events,
        "users": events.users,
        "items": events.items,
        "positive_events": events.positive,
        "positive_share": events.positive / events.events if events.events else None,
        "positive_pairs": pairs,
        "positive_users": users,
        "positive_items": items,
        "user_profiles": found.profiles["users"],
        "item_profiles": found.profiles["items"],
        "density": pairs / (users * items) if pairs else None,
    }


def _heavy(facts: Facts) -> dict[str, Any]:
    pairs = total(facts.survey.users)
    return {
        "top_percent_share": facts.heavy_share,
        "top": [
            {"user_id": user, "pairs": held, "share": held / pairs}
            for user, held in facts.survey.heavy_users
        ],
    }


def _timestamps(events: Events, wishes: DatasetSettings) -> dict[str, Any]:
    return {
        "first": events.first,
        "last": events.last,
        "missing": events.undated,
        "future": events.future,
        "timezone": wishes.timezone,
    }


def _values(events: Events, valued: Sequence[tuple[float | None, int]]) -> dict[str, Any]:
    return {
        "min": events.least,
        "max": events.most,
        "missing": events.events - events.valued,
        "commonest": [
            {"value": value, "events": number} for value, number in valued if value is not None
        ],
    }


def _core(found: Survey, wishes: DatasetSettings) -> dict[str, Any]:
    return {
        "min_user_degree": wishes.min_user_degree,
        "min_item_degree": wishes.min_item_degree,
        "users_lost": size(found.users) - size(found.core_users),
        "items_lost": size(found.items) - size(found.core_items),
        "pairs_lost": total(found.users) - total(found.core_users),
        "settled": found.core_settled,
    }


def _split(foreseen: Foreseen, wishes: DatasetSettings) -> dict[str, Any]:
    parts = {
        name: {
            "pairs": round(part.pairs.mean),
            "users": round(part.users.mean),
            "items": round(part.items.mean),
        }
        for name, part in foreseen.parts.items()
    }
    return {"kind": wishes.split.kind, "exact": foreseen.exact, **parts}


def _trainable(facts: Facts) -> dict[str, Any]:
    parts, found = facts.foreseen.parts, facts.survey
    return {
        "users": round(parts["train"].users.mean),
        "items": round(parts["train"].items.mean),
        "pairs": round(parts["train"].pairs.mean),
        "judged_by_val": round(parts["val"].users.mean),
        "judged_by_test": round(parts["test"].users.mean),
        "users_without_text": found.bare["users"],
        "items_without_text": found.bare["items"],
        "users_composed": found.composable,
        "enough": not facts.missing,
        "missing": [fault.detail for fault in facts.missing],
    }


def _run(asking: Asked, spec: RunSpec) -> dict[str, Any]:
    return {
        "budget_pairs": spec.budget_pairs,
        "pairs": asking.pairs,
        "edges": asking.edges,
        "non_edges": asking.non_edges,
        "calls": 2 * asking.pairs,
        "pairs_without_budget": asking.unbounded,
    }
