"""The peers' figures as Markdown, one table per protocol: the two are never mixed."""

from collections.abc import Iterable, Sequence

from services.trainer.bench.peers import Row

METRICS = ("recall@10", "ndcg@10", "recall@20", "ndcg@20")
TITLES = {
    "train": "Trained on train; train items hidden (val items stay and count as misses)",
    "train+val": "Trained on train and val; both hidden",
}


def tables(by_protocol: Iterable[tuple[str, Sequence[Row]]]) -> str:
    """Return all tables, the protocol above each."""
    return "\n\n".join(_table(TITLES[name], rows) for name, rows in by_protocol)


def _table(title: str, rows: Sequence[Row]) -> str:
    head = ["peer", "setting", *METRICS, "fit s"]
    lines = [title, "", _line(head), _line(["---"] * len(head))]
    return "\n".join(lines + [_line(_cells(row)) for row in rows])


def _cells(row: Row) -> list[str]:
    figures = [f"{row[metric]:.4f}" for metric in METRICS]
    return [str(row["name"]), str(row["setting"]), *figures, f"{row['fit_seconds']:.1f}"]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
