"""The noise bench on paper: what is left of each model's own clean Recall@20."""

import csv
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, cast

from services.trainer.bench import table_files
from services.trainer.bench.noise_losses import Figures, Found, claims, loss, percent, recalls, told

NAME = "noise"
TOLD = ("best_epoch", "epochs", "dropped", "added", "weight_true", "weight_fake")


def write(found: Sequence[Found], out: Path) -> str:
    """Write Markdown, CSV and the plot; return the Markdown."""
    names = list(dict.fromkeys(name for one in found for name in one.names))
    shares = sorted({one.share for one in found})
    text = "\n".join(
        [*claims(found), "", *_losses(found, names, shares), "", *_makings(found, names), ""]
    )
    (out / f"{NAME}.md").write_text(text, encoding="utf-8")
    _csv(out / f"{NAME}.csv", found)
    draw = partial(_draw, found=found, names=names, shares=shares)
    if any(one.results for one in found):
        table_files.plot(out / f"{NAME}.png", draw, size=(9, 7))
    return text


def _losses(found: Sequence[Found], names: Sequence[str], shares: Sequence[float]) -> list[str]:
    noisy = [share for share in shares if share]
    columns = (f"{percent(share)}: R@20, loss" for share in noisy)
    head = ["model", "clean R@20", *columns, "plantings"]
    lines = []
    for name in names:
        clean = recalls(found, name, 0.0)
        at = [loss(found, name, share) for share in noisy]
        most = max((one.count for one in at if one is not None), default=0)
        cells = [
            table_files.NOT_RUN if one is None else f"{one.recall:.4f}, {told(one)}" for one in at
        ]
        base = f"{clean[0]:.4f}" if clean else table_files.NOT_RUN
        lines.append([name, base, *cells, str(most)])
    return table_files.table(head, lines)


def _makings(found: Sequence[Found], names: Sequence[str]) -> list[str]:
    """Return epochs, dropped and added edges and the mean weights, per share, means over seeds."""
    head = ["model", "noise", *TOLD]
    lines = []
    for name in names:
        for share in sorted({one.share for one in found}):
            some = [
                one.results[name].figures
                for one in found
                if one.share == share and name in one.results
            ]
            if some and any(figure in some[0] for figure in TOLD):
                means = [_mean(some, figure) for figure in TOLD]
                lines.append([name, percent(share), *means])
    return table_files.table(head, lines)


def _mean(some: Sequence[Figures], figure: str) -> str:
    values = [float(cast("float", one[figure])) for one in some if figure in one]
    return f"{fmean(values):.4g}" if values else ""


def _csv(path: Path, found: Sequence[Found]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "noise", "planting", "figure", "value"])
        for one in found:
            for name, result in one.results.items():
                writer.writerows(
                    [name, one.share, one.seed, figure, value]
                    for figure, value in result.figures.items()
                )


def _draw(
    figure: Any,  # noqa: ANN401 - matplotlib has no types
    found: Sequence[Found],
    names: Sequence[str],
    shares: Sequence[float],
) -> None:
    """Draw Recall@20 over the share of fakes, the mean over plantings."""
    axes = figure.subplots()
    for name in names:
        points = [(share, fmean(at)) for share in shares if (at := recalls(found, name, share))]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set_xlabel("fakes planted per true edge of train")
    axes.set_ylabel("Recall@20")
    axes.legend(fontsize="x-small", ncols=2)
