"""The tables of bench detect: what stands above each of them, Markdown and CSV."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from services.recsys.detect import KINDS
from services.trainer.bench import signals
from services.trainer.bench.detections import LOWEST, SHARE, Figures, Planted, caught
from services.trainer.bench.table_files import table

MARKDOWN, CSV = "detect.md", "detect.csv"
AIM = 0.03
"""By how much the default is to beat leave-one-out co-occurrence, without clean profiles."""
KINDS_IN_WORDS = {
    "uniform": "users and items drawn uniformly",
    "popularity": "users drawn uniformly, items by popularity",
    "degree": "matched in degree, the ends of as many true edges paired anew",
}
Row = Sequence[str]


@dataclass(frozen=True)
class Section:
    """A table with what it means."""

    title: str
    words: str
    head: Row
    rows: Sequence[Row]


def by_signal(planted: Sequence[Planted]) -> list[Section]:
    """Return a table a kind of fakes: every signal's figures, mean ± deviation over plantings."""
    metrics = [
        "auc",
        "precision",
        *(f"{m} n2={n}" for n in LOWEST for m in ("recall", "precision")),
    ]
    head = ["signal", "AUC", "precision = recall at the budget"]
    head += [f"lowest {n} a user: recall / precision" for n in LOWEST]
    sections = []
    for kind in KINDS:
        some = [one for one in planted if one.kind == kind]
        rows = []
        for name in some[0].scores:
            found = [caught(one, name) for one in some]
            auc, precision, *lowest = (_spread([one[m] for one in found]) for m in metrics)
            pairs = zip(lowest[::2], lowest[1::2], strict=True)
            rows.append([name, auc, precision, *(f"{r} / {p}" for r, p in pairs)])
        title = f"Planted fakes: {KINDS_IN_WORDS[kind]}"
        words = (
            f"{SHARE:.0%} fakes are added to train; {len(some)} plantings, mean ± deviation. "
            "AUC: the chance that a fake is more suspicious than a true edge. The budget is the "
            "number of fakes: precision and recall are one number there. n2: the lowest edges of "
            "each user. "
            "[given]: with the folder's user profiles, which know the history before the noise and "
            "flatter; [composed]: users as the texts of their other train items, the pair's own "
            "left out; no bracket: no text. Degrees are read as low = suspicious."
        )
        sections.append(Section(title, words, head, rows))
    return sections


def aims(planted: Sequence[Planted]) -> list[str]:
    """Return MET or MISSED: the default against leave-one-out co-occurrence, by kind."""
    lines = []
    for kind in KINDS:
        some = [one for one in planted if one.kind == kind]
        ours, plain = (
            fmean(caught(one, name)["auc"] for one in some)
            for name in (signals.DEFAULT, signals.LEAVE_ONE_OUT)
        )
        met = "MET" if ours >= plain + AIM else "MISSED"
        lines.append(
            f"- {met}: on {kind} fakes plausibility beats leave-one-out co-occurrence by {AIM} AUC "
            f"without given profiles ({ours:.3f} against {plain:.3f})"
        )
    return lines


def price(stay: Mapping[str, Sequence[Mapping[str, tuple[float, float]]]]) -> Section:
    """Return what each criterion keeps of hard and of all true edges, by kind of fakes."""
    head = ["removed first"] + [f"{kind}: hard / all true kept" for kind in stay]
    names = next(iter(stay.values()))[0]
    rows = [
        [
            name,
            *(
                " / ".join(_spread([one[name][side] for one in found]) for side in (0, 1))
                for found in stay.values()
            ),
        ]
        for name in names
    ]
    words = (
        "Every criterion removes edges, lowest first, until half of the fakes are gone. Shares of "
        "true edges that stay. Hard: true edges in the lowest quarter of the true ones by exact "
        "leave-one-out EASE on the graph before the planting, which is none of the criteria."
    )
    return Section("Hard is not noise", words, head, rows)


def trained(some: Sequence[Planted], read: Sequence[Mapping[str, Mapping[str, float]]]) -> Section:
    """Return R@20 on all and on the hardest test items by what was removed before training."""
    rows = []
    for arm in read[0]:
        judged = [_spread([one[arm][name] for one in read]) for name in ("all", "hardest")]
        removed = fmean(one[arm]["removed"] for one in read)
        rows.append([arm, *judged, f"{removed:.0f}"])
    words = (
        f"LightGCN with sampled softmax, 8 epochs, {len(some)} plantings of {some[0].kind} fakes; "
        "each criterion removes edges until half of the fakes are gone. Hardest: the lower half of "
        "each user's test items by EASE on the clean train edges, one at least. Reads test."
    )
    head = ["removed before training", "R@20", "R@20 on the hardest", "edges removed"]
    return Section("Test items that are hard to find", words, head, rows)


def write(out: Path, planted: Sequence[Planted], sections: Sequence[Section]) -> str:
    """Write Markdown and CSV, which has every planting's figures; return the Markdown."""
    parts = ["\n".join(aims(planted))]
    parts += [_markdown(one) for one in sections]
    text = "\n\n".join(parts) + "\n"
    (out / MARKDOWN).write_text(text, encoding="utf-8")
    with (out / CSV).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["table", "row", "planting", "figure", "value"])
        for one in planted:
            for name in one.scores:
                figures: Figures = caught(one, name)
                writer.writerows([one.kind, name, one.seed, key, figures[key]] for key in figures)
        for section in sections[len(KINDS) :]:
            for name, *cells in section.rows:
                columns = zip(section.head[1:], cells, strict=True)
                writer.writerows([section.title, name, "", head, cell] for head, cell in columns)
    return text


def _markdown(section: Section) -> str:
    lines = [f"### {section.title}", section.words, "", *table(section.head, section.rows)]
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    deviation = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
    return f"{fmean(values):.3f}{deviation}"
