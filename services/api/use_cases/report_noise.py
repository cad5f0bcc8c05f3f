"""What a run found: totals, agreement, examples, histograms."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from services.api.use_cases.list_verdicts import of_pairs
from services.shared.db.repos import jobs, listings, overrides, verdict_pages
from services.shared.db.repos.verdict_pages import Agreement, Tally
from services.shared.db.tables import Run
from services.shared.errors import ConflictError

VERDICTS = ("hard", "noise", "clean", "unsure")
EXAMPLES = 10
BINS = 20
SHARE_CAP, LAST_EDGE = "share_cap", "last_edge"
"""Why a drop was not done, as the trainer's stage `refine` writes it."""


def report_noise(session: Session, run: Run) -> dict[str, Any]:
    """Return the report in the shape of the api's answer; ConflictError before a run's success."""
    state = jobs.get(session, run.id).state
    if state != "succeeded":
        raise ConflictError(f"The run is {state}: only a run that succeeded has a report.")
    figures = listings.figures(session, run.id)
    tallies = verdict_pages.tallies(session, run.id)
    views = verdict_pages.agreement(session, run.id)
    edges = figures.get("refine", {}).get("edges_before")
    totals = _totals(session, run, tallies, views) | {"edges": edges}
    return {
        "run_id": run.id,
        "dataset_version": run.dataset_version,
        "totals": totals,
        "drops": _drops(run, tallies, figures),
        "people": _people(session, run, tallies),
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


def _totals(
    session: Session, run: Run, tallies: Sequence[Tally], views: Agreement
) -> dict[str, Any]:
    return {
        "candidates": verdict_pages.candidates(session, run.id),
        "rated": views.rated,
        "flagged": sum(t.count for t in tallies if t.verdict == "noise" and t.edge),
        "dropped": sum(t.count for t in tallies if t.action == "drop"),
        "added": sum(t.count for t in tallies if t.action == "add"),
        "by_verdict": _by_verdict(tallies),
    }


def _by_verdict(tallies: Sequence[Tally]) -> dict[str, int]:
    return {word: sum(t.count for t in tallies if t.verdict == word) for word in VERDICTS}


def _drops(
    run: Run, tallies: Sequence[Tally], figures: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what ratings would have dropped, and what held them back."""
    by_rule = [t for t in tallies if t.decided_by != "person" and t.edge]
    done = sum(t.count for t in by_rule if t.action == "drop")
    held = {
        reason: sum(t.count for t in by_rule if t.note == reason)
        for reason in (SHARE_CAP, LAST_EDGE)
    }
    drops = figures.get("refine", {}).get("drops")
    params = run.spec.get("params")
    return {
        "wanted": done + sum(held.values()),
        "done": done,
        **held,
        "at_most": drops.get("at_most") if isinstance(drops, dict) else None,
        "max_drop_share": params.get("max_drop_share") if isinstance(params, dict) else None,
    }


def _people(session: Session, run: Run, tallies: Sequence[Tally]) -> dict[str, Any]:
    """Return what the run did about people's words, and how many wait for the next one."""
    said = [t for t in tallies if t.decided_by == "person"]
    not_done: dict[str, int] = {}
    for tally in said:
        if tally.note is not None:
            not_done[tally.note] = not_done.get(tally.note, 0) + tally.count
    return {
        "words": sum(t.count for t in said),
        "by_verdict": _by_verdict(said),
        "dropped": sum(t.count for t in said if t.action == "drop"),
        "added": sum(t.count for t in said if t.action == "add"),
        "not_done": not_done,
        "pending": overrides.count_pending(session, run.dataset_id),
    }


def _examples(session: Session, run: Run, verdict: str) -> list[Any]:
    found = verdict_pages.extremes(session, run.id, verdict, count=EXAMPLES)
    pairs = [(row.user_id, row.item_id) for row in found]
    return of_pairs(session, run.dataset_id, run.id, pairs)


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
