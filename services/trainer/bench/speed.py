"""python -m services.trainer.bench speed: epochs and evaluation in CPU seconds of one thread."""

import csv
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import torch

from services.recsys.data import Embeddings, Interactions
from services.recsys.evaluate import evaluate
from services.recsys.seeds import Seeds
from services.recsys.topk import inner_product
from services.shared.canonical import Json, content_hash
from services.shared.errors import InvalidError
from services.trainer.bench import (
    corpus,
    levers,
    published,
    speed_lightgcn,
    speed_llmhni,
    speed_quality,
    speed_recbole,
    speed_report,
)
from services.trainer.bench.cells import Cell, Cells
from services.trainer.bench.corpus import Corpus, fingerprint
from services.trainer.bench.peers import tell
from services.trainer.bench.resuming import resumes, show

FORM = 3
"""Raised when ours are timed otherwise under the same plan; the peer is timed anew beside them.

3: a batch's rows are sums of powers, and an epoch of LLMHNI is its own pairs'.
"""


@click.command("speed")
@resumes
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/bench-speed"),
    show_default=True,
)
@click.option("--steps", type=click.IntRange(min=2), default=50, show_default=True)
@click.option("--cycles", type=click.IntRange(min=1), default=5, show_default=True, help="LLMHNI's")
@click.option("--recbole/--no-recbole", default=True, show_default=True, help="the peer")
@click.option("--quality/--no-quality", default=False, show_default=True, help="half an hour")
def command(
    data: Path, out: Path, *, steps: int, cycles: int, recbole: bool, quality: bool
) -> None:
    """One epoch of LightGCN and of LLMHNI, lever by lever, RecBole's, and a full ranking."""
    parts = published.parts(data)
    if "train" not in parts or "test" not in parts:
        raise InvalidError(f"{data} needs rows of train and of test.")
    known = _with_texts(data) if quality else None
    figures = measure(data.name, parts, out, steps=steps, cycles=cycles, recbole=recbole)
    if known is not None:
        cells = Cells(out / "cells", total=speed_quality.ROWS)
        figures["quality"] = speed_quality.measure(data.name, known, out, cells)
    text = speed_report.markdown(data.name, figures)
    table = out / f"speed-{data.name}.csv"
    table.with_suffix(".md").write_text(text, encoding="utf-8")
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(speed_report.table(figures))
    show(text, out, table.stem)


def _with_texts(data: Path) -> Corpus:
    """Return the folder's split and texts; half an hour later it would be late to miss them."""
    try:
        return corpus.read(data)
    except InvalidError as error:
        raise InvalidError(f"--quality needs rows of val, and texts. {error.detail}") from None


def measure(
    name: str,
    parts: Mapping[str, Interactions],
    out: Path,
    *,
    steps: int,
    cycles: int,
    recbole: bool,
) -> dict[str, Any]:
    """Return the figures by section; a section that is there is not measured again."""
    train, size = parts["train"], levers.config().B
    cells = Cells(out / "cells", total=5)
    plan: dict[str, Json] = {
        "bench": "speed",
        "data": name,
        "train": fingerprint(train.keys()),
        "shape": [train.n_users, train.n_items],
        "device": device(),
    }

    def cell(section: str, compute: Any, **more: Json) -> dict[str, Any]:  # noqa: ANN401 - see Cells
        return dict(cells.get({**plan, "section": section, **more}, compute).figures)

    found: dict[str, Any] = {"device": device()}
    found["lightgcn"] = cell(
        "lightgcn",
        lambda: speed_lightgcn.measure(train, size=size, steps=steps),
        steps=steps,
        rows=content_hash([lever.name for lever in levers.levers()])[:8],
        form=FORM,
    )
    found["batches"] = cell("batches", lambda: speed_lightgcn.larger(train), form=FORM)
    found["recbole"] = {"absent": "RecBole was not asked for."}
    if recbole:
        try:
            found["recbole"] = cell(
                "recbole",
                lambda: speed_recbole.measure(train, out, size=size, steps=min(steps, 30)),
                steps=steps,
                form=FORM,
            )
        except speed_recbole.AbsentError as why:  # no cell: the next time it may be there
            found["recbole"] = {"absent": str(why)}
    found["llmhni"] = cell(
        "llmhni",
        lambda: speed_llmhni.measure(train, cycles=cycles),
        cycles=cycles,
        rows=content_hash({n: asdict(r) for n, r in speed_llmhni.recipes().items()})[:8],
        form=FORM,
    )
    asked = fingerprint(parts["test"].keys())
    found["ranking"] = cell("ranking", lambda: ranking(train, parts["test"]), test=asked, form=FORM)
    return found


def ranking(train: Interactions, test: Interactions) -> Cell:
    """Time a full ranking of every test user by vectors of chance: what they say is no matter."""
    rng = Seeds(0).torch("ranking")
    sides = ((n, levers.D) for n in (train.n_users, train.n_items))
    vectors = Embeddings(*(torch.randn(shape, generator=rng) for shape in sides))
    tell("full ranking")
    began = time.process_time()
    judged = evaluate(inner_product(vectors), test, mask=train, ks=(20,))
    seconds = time.process_time() - began
    return Cell(figures={"s": seconds, "users": len(judged.users), "items": train.n_items})


def device() -> str:
    """Return the processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
