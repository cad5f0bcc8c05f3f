"""The speed bench's figures as Markdown and as rows of a CSV."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from services.trainer.bench import levers, speed_llmhni

Figures = Mapping[str, Any]
EXACT = 1e-4
"""How far a loss of an exact lever may lie from the reference's."""

TIE = 0.003
"""Of Recall@20: less is none."""

CHEAP = 2.5
"""Times our LightGCN that a cheap variant may take."""


def markdown(name: str, found: Figures) -> str:
    """Return the claims, and a table a section."""
    parts = [
        f"### `{name}`, {found['device']}, one thread, CPU seconds",
        "\n".join(f"- {claim}" for claim in claims(found)),
        _levers(found["lightgcn"]),
        _peer(found),
        _batches(found["batches"]),
        _llmhni(found["llmhni"]),
    ]
    if "quality" in found:
        parts.append(_quality(found["quality"]))
    return "\n\n".join(parts)


def claims(found: Figures) -> Iterator[str]:
    """Yield what was aimed at, MET or MISSED."""
    rows = found["lightgcn"]["rows"]
    ships = rows[levers.SHIPS]
    yield _claim("LightGCN's epoch at least 5 times faster", ships["times the usual"], least=5.0)
    # not max: a NaN behind the first row would be smaller than nothing
    apart = float(np.max([row["loss apart"] for row in rows.values() if row["exact"]]))
    steps = found["lightgcn"]["steps"]
    yield _claim(f"the losses of {steps} steps within 1e-4", apart, most=EXACT, form="{:.1e}")
    if "absent" in found["recbole"]:
        yield f"NOT MEASURED: RecBole. {found['recbole']['absent']}"
    else:
        times = found["recbole"]["ms a step"] / ships["ms a step"]
        yield _claim("at least 4 times faster than RecBole's", times, least=4.0)
    yield from _claims_of_llmhni(found)
    ranking = found["ranking"]
    words = f"full ranking of {ranking['users']:,} users, {ranking['items']:,} items under 15 s"
    yield _claim(words, ranking["s"], most=15.0)


def _claims_of_llmhni(found: Figures) -> Iterator[str]:
    rows = found["llmhni"]["rows"]
    printed, halved = (
        rows[name]["times our LightGCN"] for name in (speed_llmhni.PRINTED, speed_llmhni.HALVED)
    )
    yield _claim("LLMHNI as printed at most 4 times our LightGCN", printed, most=4.0)
    yield _claim(f"LLMHNI as printed, {speed_llmhni.HALVED}, at most 4 times", halved, most=4.0)
    for name in (speed_llmhni.CHEAP, speed_llmhni.OTHER):
        yield _cheap(name, rows[name]["times our LightGCN"], found.get("quality"))


def _cheap(name: str, times: float, quality: Figures | None) -> str:
    """Return the claim of a cheap variant: nothing is won by speed that costs quality."""
    most = f"at most {CHEAP} times our LightGCN at batch {levers.config().B:,}"
    if quality is None:
        return (
            f"NOT MEASURED: LLMHNI, {name}, {most} ({times:.2f}): its R@20 was not read: --quality"
        )
    first, second = (quality[row]["recall@20"] for row in (speed_llmhni.PRINTED, name))
    words = f"LLMHNI, {name}, {most} ({times:.2f})"
    words += " and its validation R@20 no more than .003 below the printed one's"
    least = -TIE if times <= CHEAP else float("inf")
    return _claim(words, second - first, least=least, form="{:+.4f}")


def _claim(
    words: str,
    value: float,
    *,
    least: float | None = None,
    most: float | None = None,
    form: str = "{:.2f}",
) -> str:
    met = (least is None or value >= least) and (most is None or value <= most)
    return f"{'MET' if met else 'MISSED'}: {words} ({form.format(value)})"


def _levers(found: Figures) -> str:
    lines = [
        f"LightGCN, d {levers.D}, {levers.LAYERS} layers, batch {found['batch']}; the median of",
        f"{found['steps']} steps in turn, an epoch is as many medians as it has batches.",
        "",
        "| | ms a step | s an epoch | times the usual | largest difference of a loss |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {row['ms a step']:.1f} | {row['s an epoch']:.2f} | "
        f"{row['times the usual']:.2f} | {row['loss apart']:.1e} |"
        for name, row in found["rows"].items()
    ]
    return "\n".join(lines)


def _peer(found: Figures) -> str:
    peer = found["recbole"]
    if "absent" in peer:
        return str(peer["absent"])
    return (
        f"RecBole 1.2.1's LightGCN, the same shape and batch, through its own loader, in a process "
        f"of its own: {peer['ms a step']:.1f} ms a step, {peer['s an epoch']:.2f} s an epoch."
    )


def _batches(found: Figures) -> str:
    lines = ["| what ships, batch | ms a step | s an epoch |", "| ---: | ---: | ---: |"]
    lines += [
        f"| {size} | {row['ms a step']:.1f} | {row['s an epoch']:.2f} |"
        for size, row in found["rows"].items()
    ]
    return "\n".join(lines)


def _llmhni(found: Figures) -> str:
    lines = [
        f"LLMHNI's steps and our LightGCN's through their own samplers, {found['steps']} steps in",
        f"turn; the median over cycles of {speed_llmhni.CYCLE}, an epoch by its own batches.",
        "",
        "| | batch | ms a step | s an epoch | times our LightGCN |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {row['batch']} | {row['ms a step']:.1f} | {row['s an epoch']:.2f} | "
        f"{row['times our LightGCN']:.2f} |"
        for name, row in found["rows"].items()
    ]
    return "\n".join(lines)


def _quality(found: Figures) -> str:
    """Return what was trained alike in a table each, and how far each lies from its first row."""
    raw = [name for name in found if name.startswith("LightGCN")]
    ours = [name for name in found if name not in raw]
    return "\n\n".join(_priced({name: found[name] for name in names}) for names in (ours, raw))


def _priced(found: Figures) -> str:
    lines = ["| trained alike, read on validation | R@20 | apart |", "| --- | ---: | ---: |"]
    recalls = {name: row["recall@20"] for name, row in found.items()}
    first = next(iter(recalls.values()), 0.0)
    lines += [f"| {name} | {own:.4f} | {own - first:+.4f} |" for name, own in recalls.items()]
    return "\n".join(lines)


def table(found: Figures) -> list[list[str]]:
    """Return every figure as a row: section, row, figure, value."""
    rows = [["section", "row", "figure", "value"]]
    for section, figures in found.items():
        if isinstance(figures, Mapping):
            rows += list(_flat(section, figures))
    return rows


def _flat(section: str, figures: Figures) -> Iterator[list[str]]:
    inner = figures.get("rows", figures)
    for name, value in inner.items():
        if isinstance(value, Mapping):
            for figure, number in value.items():
                yield [section, name, figure, str(number)]
        else:
            yield [section, "", name, str(value)]
