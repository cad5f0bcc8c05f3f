"""The cells of a bench's tables on disk: what was computed once is read the next time."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from safetensors.numpy import load_file, save_file

from services.recsys.metrics import Floats
from services.shared.canonical import Json, content_hash
from services.trainer.bench.peers import tell

FORMAT = 1
"""Raised when what is kept changes its meaning."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """What one computation of a table left."""

    figures: dict[str, Json]  # by name, such as "recall@20"
    per_user: dict[str, Floats] = field(default_factory=dict)  # by name: (n,), the same users


class Cells:
    """A folder with one pair of files a finished cell, named by the hash of its plan.

    A plan is everything that shapes the cell: dataset, method, setting, seed. A bench that was cut
    off computes only what is missing; a plan that changed is another cell.
    """

    def __init__(self, folder: Path, *, total: int | None = None) -> None:
        """Keep cells in `folder`; `total` of them are expected, for the progress on stderr."""
        self._folder, self._total, self._done = folder, total, 0

    def get(
        self, plan: Mapping[str, Json], compute: Callable[[], Cell], *, words: str | None = None
    ) -> Cell:
        """Return the cell of this plan, computed and written if it is not there.

        `words` name it in the progress; without them the plan does.
        """
        path = self.place(plan)
        self._done += 1
        kept = _load(path)
        if kept is not None:
            return kept
        place = f"{self._done} of {self._total}" if self._total else f"{self._done}"
        tell(f"{place}: {words or _words(plan)}")
        began = time.perf_counter()
        cell = compute()
        _save(path, plan, cell)
        tell(f"{place}: {time.perf_counter() - began:.1f} s")
        return cell

    def find(self, plan: Mapping[str, Json]) -> Cell | None:
        """Return the finished cell of this plan; None where it was not computed yet."""
        return _load(self.place(plan))

    def place(self, plan: Mapping[str, Json]) -> Path:
        """Return the path of this plan's files, without an ending."""
        return self._folder / content_hash({"format": FORMAT, "plan": plan})


def _words(plan: Mapping[str, Json]) -> str:
    return ", ".join(f"{name} {value}" for name, value in plan.items() if value is not None)


def _load(path: Path) -> Cell | None:
    figures = path.with_suffix(".json")
    if not figures.exists():
        return None
    kept = json.loads(figures.read_text(encoding="utf-8"))["figures"]
    arrays = path.with_suffix(".safetensors")
    return Cell(figures=kept, per_user=load_file(arrays) if arrays.exists() else {})


def _save(path: Path, plan: Mapping[str, Json], cell: Cell) -> None:
    """Write the arrays, then the figures by a rename: with them the cell is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if cell.per_user:
        # safetensors writes the buffer as it lies: a column of a matrix would come back scrambled
        flat = {name: values.copy(order="C") for name, values in cell.per_user.items()}
        save_file(flat, path.with_suffix(".safetensors"))
    half = path.with_suffix(".part")
    text = json.dumps({"plan": dict(plan), "figures": cell.figures}, indent=1, allow_nan=False)
    half.write_text(text, encoding="utf-8")
    half.rename(path.with_suffix(".json"))
