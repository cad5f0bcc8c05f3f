"""The sentences beside the tables: each follows from figures at hand, none is known beforehand."""

from __future__ import annotations

from typing import Any

from winnow.demo.caught import Catch, Finder
from winnow.demo.peers import Row

Json = dict[str, Any]
BY = "recall@20"
PARTS = {"val": "validation", "test": "test"}
GRAPHS = ("raw", "denoised")
ONE_SHOP = (
    "This is one shop and one training, without intervals: its differences may be chance. "
    "Five shops, with intervals, stand in docs/bench.md."
)


def metric_notes(card: Json, *, generated: bool) -> list[str]:
    """Return which graph is served, where denoising lost, and what one run can not show."""
    return [*_lost(card), *_served(card), *([ONE_SHOP] if generated else [])]


def catch_notes(catch: Catch, *, stand_in: bool) -> list[str]:
    """Return what the catch table needs; `stand_in` says that no language model rated."""
    return [
        (
            f"{catch.noise:,} of {catch.edges:,} train edges were planted; {catch.rated:,} were "
            f"rated, {catch.rated_noise:,} of those planted."
        ),
        (
            f"Precision and recall at the {catch.flagged:,} edges that the verdicts call noise; "
            "every other row flags as many, its most suspicious first. Degrees are read in the "
            "direction that finds more, which nobody could know without the truth."
        ),
        *_outranked(catch.finders, stand_in=stand_in),
        *_hard_positives(catch),
    ]


def report_lines(report: Json, card: Json) -> list[str]:
    """Return the noise report's totals as sentences."""
    totals = report["totals"]
    verdicts = ", ".join(f"{count:,} {name}" for name, count in totals["by_verdict"].items())
    views = (report.get("agreement") or {}).get("views")
    agree = isinstance(views, int | float)
    return [
        (
            f"{totals['candidates']:,} candidates among {totals['edges']:,} edges and beyond, "
            f"{totals['rated']:,} rated: {verdicts}."
        ),
        f"{totals['dropped']:,} edges dropped, {totals['added']:,} added.",
        *_spared(totals, (card.get("params") or {}).get("max_drop_share")),
        *([f"The two views agree on {views:.0%} of the pairs."] if agree else []),
    ]


def peer_notes(rows: list[Row], card: Json) -> list[str]:
    """Return which peers stand above the better of our two graphs, if any does."""
    tests = [card["metrics"][graph]["test"] for graph in GRAPHS]
    ours = max((float(test[BY]) for test in tests if BY in test), default=float("inf"))
    best_first = sorted(rows, key=lambda row: -float(row[BY]))
    above = [str(row["name"]) for row in best_first if float(row[BY]) > ours]
    if not above:
        return []
    stand = "stands" if len(above) == 1 else "stand"
    return [f"On these data {_listed(above)} {stand} above both of our graphs in Recall@20."]


def _lost(card: Json) -> list[str]:
    raw, denoised = (card["metrics"][graph] for graph in GRAPHS)
    parts = [
        f"{name} ({denoised[part][BY]:.4f} against {raw[part][BY]:.4f})"
        for part, name in PARTS.items()
        if BY in raw.get(part, {}) and denoised[part][BY] < raw[part][BY]
    ]
    return [f"Denoised is BELOW raw in Recall@20 on {_listed(parts)}."] if parts else []


def _served(card: Json) -> list[str]:
    graph = card.get("default_graph")
    return [f"Served: the {graph} graph's lists, chosen on validation Recall@20."] if graph else []


def _outranked(finders: tuple[Finder, ...], *, stand_in: bool) -> list[str]:
    ours, *others = finders
    better = [
        f"{other.name} ({other.auc_rated:.2f})"
        for other in others
        if other.auc_rated > ours.auc_rated
    ]
    if not better:
        return []
    rank = "ranks" if len(better) == 1 else "rank"
    why = ": the stand-in that rated is no language model" if stand_in else ""
    return [
        (
            f"Here {_listed(better)} {rank} the rated edges better than the ratings do "
            f"(AUC {ours.auc_rated:.2f}){why}."
        )
    ]


def _hard_positives(catch: Catch) -> list[str]:
    if not catch.side_rated:
        return []
    share = 100 * catch.side_flagged / catch.side_rated
    return [
        (
            f"{catch.side_flagged:,} of {catch.side_rated:,} rated side-interest purchases were "
            f"wrongly called noise ({share:.0f} %)."
        )
    ]


def _spared(totals: Json, cap: float | None) -> list[str]:
    """Return how many edges called noise stay in the graph, and by which limit."""
    spared = totals.get("flagged", 0) - totals["dropped"]
    if spared <= 0:
        return []
    head = f"{spared:,} of the {totals['flagged']:,} edges called noise are kept"
    if cap is not None and totals["dropped"] >= int(round(cap * totals["edges"], 9)):
        return [f"{head} by the cap of {100 * cap:.0f} % of the edges, or as their user's last."]
    return [f"{head}: a user's last edge is never dropped."]


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
