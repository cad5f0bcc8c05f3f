"""The bookshop's report: one list of figures as Markdown, CSV and JSON."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from services.shared.specs import RunSpec
from services.trainer.bench.comparisons import (
    CAUGHT,
    DECIDES,
    PAIRS,
    POOLED,
    Figure,
    difference_of,
    verdicts,
)
from services.trainer.bench.experiment import ARMS, METRICS

NAME = "bookshop"
MARKDOWN, CSV, JSON = f"{NAME}.md", f"{NAME}.csv", f"{NAME}.json"
Row = Sequence[str]


def write(folder: Path, rows: Sequence[Figure], spec: RunSpec) -> None:
    """Write the three files of the report."""
    (folder / MARKDOWN).write_text(markdown(rows), encoding="utf-8")
    with (folder / CSV).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Figure)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    report = {
        "spec": spec.to_json(),
        "claims": verdicts(rows),
        "figures": [asdict(row) for row in rows],
    }
    (folder / JSON).write_text(json.dumps(report, indent=1), encoding="utf-8")


def claim_lines(rows: Sequence[Figure]) -> list[str]:
    """Return "MET: ..." or "MISSED: ..." for each claim."""
    return [f"{'MET' if met else 'MISSED'}: {claim}" for claim, met in verdicts(rows).items()]


def markdown(rows: Sequence[Figure]) -> str:
    """Return the tables as Markdown."""
    found = {(row.table, row.seed, row.name, row.metric): row for row in rows}
    seeds = sorted({row.seed for row in rows} - {POOLED}, key=int)
    finders = list(dict.fromkeys(row.name for row in rows if row.table == "caught"))

    def cell(table: str, seed: str, name: str, metric: str) -> str:
        return number(found[table, seed, name, metric])

    def shops(table: str, name: str) -> list[str]:
        return [cell(table, seed, name, DECIDES) for seed in seeds]

    tests = [
        [
            arm,
            *(cell("test", POOLED, arm, metric) for metric in METRICS),
            *shops("test", arm),
            cell("validation", POOLED, arm, DECIDES),
        ]
        for arm in ARMS
    ]
    names = [difference_of(*pair) for pair in PAIRS]
    gaps = [
        [name, *(cell("difference", POOLED, name, metric) for metric in METRICS)] for name in names
    ]
    each = [[name, *shops("difference", name)] for name in names]
    caught = [
        [name, *(cell("caught", POOLED, name, metric) for metric in CAUGHT)] for name in finders
    ]
    own = [f"shop {seed}" for seed in seeds]
    return "\n".join(
        [
            *(f"- {line}" for line in claim_lines(rows)),
            "",
            *_table(
                ["test", *METRICS, *(f"R@20 {name}" for name in own), "validation R@20"], tests
            ),
            "",
            *_table(["difference, users of all shops pooled", *METRICS], gaps),
            "",
            *_table(["difference of recall@20", *own], each),
            "",
            *_table(["caught among the rated edges, mean over shops", *CAUGHT], caught),
            "",
        ]
    )


def number(figure: Figure) -> str:
    """Return a figure, with its interval where it has one."""
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4f}"
    return f"{figure.value:+.4f} [{figure.low:+.4f}, {figure.high:+.4f}]"


def _table(head: Row, rows: Sequence[Row]) -> list[str]:
    return [
        _line(head),
        _line(["---", *("---:" for _ in head[1:])]),
        *(_line(row) for row in rows),
    ]


def _line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |"
