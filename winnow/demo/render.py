"""The results as tables and lines; every function is pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from rich import box
from rich.table import Table
from rich.text import Text

from winnow.bookshop.shop import NOISE_KINDS
from winnow.demo.caught import Catch
from winnow.demo.choices import SideBySide
from winnow.demo.peers import Row

Json = dict[str, Any]
KINDS = {
    "misclick": "planted: misclick",
    "popular": "planted: by popularity",
    "taste": "true taste",
    "side": "true side interest",
}
SHOWN = ("recall@10", "ndcg@10", "recall@20", "ndcg@20")


def metrics_table(card: Json) -> Table:
    """Return raw beside denoised for validation and test, with the relative change."""
    table = _table("The same split, the raw and the denoised graph", "metric")
    for name in ("raw", "denoised", "change"):
        table.add_column(name, justify="right")
    raw, denoised = card["metrics"]["raw"], card["metrics"]["denoised"]
    for part in ("val", "test"):
        for metric in SHOWN:
            if metric in raw.get(part, {}):
                old, new = raw[part][metric], denoised[part][metric]
                table.add_row(f"{part} {metric}", _figure(old), _figure(new), change(old, new))
    return table


def change(old: float, new: float) -> str:
    """Return the relative change, such as +1.3 %."""
    return f"{(new - old) / old:+.1%}".replace("%", " %") if old else "–"  # noqa: RUF001 - a dash


def peers_table(rows: list[Row], card: Json) -> Table:
    """Return the peers' test figures beside ours, the best Recall@20 first."""
    table = _table("Peers on the same split (test)", "model")
    for metric in ("recall@20", "ndcg@20"):
        table.add_column(metric, justify="right")
    ours: list[Row] = [
        {"name": f"Winnow, {graph} graph"} | card["metrics"][graph]["test"]
        for graph in ("raw", "denoised")
    ]
    for row in sorted(rows + ours, key=lambda row: -float(row["recall@20"])):
        table.add_row(str(row["name"]), _figure(row["recall@20"]), _figure(row["ndcg@20"]))
    return table


def flagged_table(
    rows: list[Json], titles: Mapping[str, str], truth: Mapping[tuple[str, str], str], title: str
) -> Table:
    """Return flagged interactions with both views' labels and reasons, and the planted truth."""
    table = _table(title, "user")
    for name in ("item", "verdict", "user view", "item view", *(["truth"] if truth else [])):
        table.add_column(name, overflow="fold")
    for row in rows:
        cells = [_item(row["item_id"], titles), f"{row['verdict']}, {row['action']}"]
        cells += [view_text(row, "user"), view_text(row, "item")]
        if truth:
            kind = truth.get((row["user_id"], row["item_id"]), "")
            cells.append(truth_text(kind, verdict=row["verdict"]))
        table.add_row(Text(row["user_id"]), *(Text(cell) for cell in cells))
    return table


def truth_text(kind: str, *, verdict: str) -> str:
    """Return the truth in words, and a mark where the verdict is wrong."""
    words = KINDS.get(kind)
    if words is None:
        return "not in train"
    if verdict == "noise" and kind not in NOISE_KINDS:
        return f"{words}\n!! false alarm"
    missed = verdict in {"hard", "clean"} and kind in NOISE_KINDS
    return f"{words}\n!! missed" if missed else words


def view_text(row: Json, view: str) -> str:
    """Return one view's label and reason, or that there is none."""
    rating = (row.get("ratings") or {}).get(view)
    if not rating:
        return "no rating"
    return f"{rating['label']}: {rating.get('reason') or 'no reason given'}"


def side_by_side_table(lists: SideBySide, titles: Mapping[str, str]) -> Table:
    """Return one user's two top lists; what only one of them has is marked."""
    table = _table(f"Top {len(lists.raw)} of {lists.user_id}", "rank")
    table.add_column("raw")
    table.add_column("denoised")
    both = set(lists.raw) & set(lists.denoised)
    for rank in range(max(len(lists.raw), len(lists.denoised))):
        cells = [
            _marked(ids[rank], titles, both) if rank < len(ids) else Text("")
            for ids in (lists.raw, lists.denoised)
        ]
        table.add_row(str(rank + 1), *cells)
    return table


def legend(lists: SideBySide) -> list[str]:
    """Return what the star means, where one is shown."""
    if set(lists.raw) == set(lists.denoised):
        return []
    return ["* only in this list, not in the other one."]


def catch_table(catch: Catch) -> Table:
    """Return how well each finder found the planted noise."""
    table = _table("Planted noise", "found by")
    for name in ("AUC, rated edges", "AUC, all edges", "precision", "recall"):
        table.add_column(name, justify="right")
    for finder in catch.finders:
        figures = (finder.auc_rated, finder.auc_all, finder.precision, finder.recall)
        table.add_row(finder.name, *(_figure(figure) for figure in figures))
    return table


def stages_table(job: Json) -> Table:
    """Return every stage of the run with its time and memory."""
    table = _table("The run", "stage")
    for name in ("state", "seconds", "peak MiB"):
        table.add_column(name, justify="right")
    for stage in job.get("stages") or []:
        memory, seconds = stage.get("peak_memory_bytes"), stage.get("seconds")
        table.add_row(
            stage["name"],
            stage["state"],
            f"{seconds:.1f}" if seconds is not None else "",
            f"{memory / 2**20:.0f}" if memory else "",
        )
    return table


def curl_lines(api_url: str, *, key: str, dataset_id: str, user_id: str) -> list[str]:
    """Return three calls that can be pasted into a shell while the stack is up."""
    head = f"curl -s -H 'Authorization: Bearer {key}'"
    base = f"{api_url}/v1/datasets/{quote(dataset_id, safe='')}"
    return [
        f"{head} '{base}/recommendations/{quote(user_id, safe='')}?k=5&explain=true'",
        f"{head} '{base}/verdicts?verdict=noise&page_size=5'",
        f"{head} '{base}/noise-report'",
    ]


def _table(title: str, first: str) -> Table:
    whole = Text(title, no_wrap=True, overflow="ignore")  # a table narrower than its title wraps it
    table = Table(title=whole, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    return table


def _figure(value: float | str) -> str:
    return "–" if math.isnan(float(value)) else f"{float(value):.4f}"  # noqa: RUF001 - a dash


def _item(item_id: str, titles: Mapping[str, str]) -> str:
    return titles.get(item_id, item_id)


def _marked(item_id: str, titles: Mapping[str, str], both: set[str]) -> Text:
    title = _item(item_id, titles)
    return Text(title) if item_id in both else Text(f"{title} *", style="bold")
