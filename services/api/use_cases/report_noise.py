"""What a run found: totals, agreement, examples, histograms."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from services.api.use_cases.list_verdicts import with_ratings
from services.shared.db.repos import jobs, listings, verdict_pages
from services.shared.db.repos.verdict_pages import Agreement
from services.shared.db.tables import Run
from services.shared.errors import ConflictError

VERDICTS = ("hard", "noise", "clean", "unsure")
EXAMPLES = 10
BINS = 20
Counts = Mapping[tuple[str, str, bool], int]


def report_noise(session: Session, run: Run) -> dict[str, Any]:
    """Return the report in the shape of the api's answer; ConflictError before a run's success."""
    state = jobs.get(session, run.id).state
    if state != "succeeded":
        raise ConflictError(f"The run is {state}: only a run that succeeded has a report.")
    figures = listings.figures(session, run.id)
    counts = verdict_pages.counts(session, run.id)
    views = verdict_pages.agreement(session, run.id)
    edges = figures.get("refine", {}).get("edges_before")
    totals = _totals(session, run, counts, views) | {"edges": edges}
    return {
        "run_id": run.id,
        "dataset_version": run.dataset_version,
        "totals": totals,
        "flagged_share": totals["flagged"] / edges if isinstance(edges, int) and edges else None,
        "agreement": {
            "views": round(views.same / views.both, 4) if views.both else None,
            "pairs": views.both,
        },
        "examples": {
            "noisiest": _examples(session, run, "noise"),
            "hardest": _examples(session, run, "hard"),
        },
        "histograms": {"score": _scores(session, run), "loss": _losses(figures)},
    }


def _totals(session: Session, run: Run, counts: Counts, views: Agreement) -> dict[str, Any]:
    def tally(place: int, word: str) -> int:
        return sum(count for key, count in counts.items() if key[place] == word)

    return {
        "candidates": verdict_pages.candidates(session, run.id),
        "rated": views.rated,
        "flagged": sum(n for (word, _, edge), n in counts.items() if word == "noise" and edge),
        "dropped": tally(1, "drop"),
        "added": tally(1, "add"),
        "by_verdict": {verdict: tally(0, verdict) for verdict in VERDICTS},
    }


def _examples(session: Session, run: Run, verdict: str) -> list[Any]:
    return with_ratings(session, verdict_pages.extremes(session, run.id, verdict, count=EXAMPLES))


def _scores(session: Session, run: Run) -> dict[str, Any] | None:
    span = verdict_pages.score_range(session, run.id)
    if span is None:
        return None
    low, high = span
    high = high if high > low else low + 1.0  # all scores equal: they fall into the first part
    counts = verdict_pages.score_counts(session, run.id, low=low, high=high, bins=BINS)
    edges = [low + (high - low) * part / BINS for part in range(BINS + 1)]
    return {"bins": edges, **{verdict: counts.get(verdict, [0] * BINS) for verdict in VERDICTS}}


def _losses(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    histograms = figures.get("evaluate", {}).get("histograms")
    loss = histograms.get("loss") if isinstance(histograms, dict) else None
    return loss if isinstance(loss, dict) else None
