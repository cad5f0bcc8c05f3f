"""What a published model keeps for those who come after it: ids, maps, the items' texts.

users.parquet, items.parquet   index → id; of an item also how many people have it
cold-<graph>.safetensors       the maps of services/recsys/cold.py, and how well they fit
texts.safetensors              the items' centred text vectors (float16), for likeness
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from safetensors import safe_open
from safetensors.numpy import save_file

from services.recsys.cold import Fitted, Map, fit_fold_in, fit_map
from services.recsys.data import Embeddings, Interactions
from services.recsys.texts import centred
from services.trainer.snapshot.files import Snapshot

USERS, ITEMS, TEXTS = "users.parquet", "items.parquet", "texts.safetensors"
VECTORS = "vectors"
HISTORY, USER_TEXT, ITEM_TEXT = "history", "user_text", "item_text"

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Maps:
    """The ways into one graph's space; without texts at the training only the first is there."""

    history: Map
    user_text: Map | None
    item_text: Map | None

    @property
    def text_width(self) -> int | None:
        """Return the width of the text vectors that the maps read; None without such a map."""
        known = self.item_text or self.user_text
        return None if known is None else len(known.mean)


def write_ids(folder: Path, snapshot: Snapshot) -> None:
    """Write who is who, by index."""
    pl.DataFrame({"id": snapshot.user_ids}).write_parquet(folder / USERS)
    degrees = pl.Series("people", snapshot.edges.item_degrees(), dtype=pl.Int32)
    pl.DataFrame({"id": snapshot.item_ids, "people": degrees}).write_parquet(folder / ITEMS)


def write_texts(folder: Path, texts: Embeddings) -> None:
    """Write the items' text vectors without what all of them share."""
    items = centred(texts).items.numpy().astype(np.float16)
    save_file({VECTORS: np.ascontiguousarray(items)}, folder / TEXTS)


def fit(z: Embeddings, train: Interactions, texts: Embeddings | None) -> dict[str, Fitted]:
    """Return the maps by name; the texts' only where both sides have some."""
    fitted = {HISTORY: fit_fold_in(z, train)}
    if texts is not None:
        users, items = train.user_degrees() > 0, train.item_degrees() > 0
        sides = {
            USER_TEXT: (texts.users.numpy()[users], z.users.numpy()[users]),
            ITEM_TEXT: (texts.items.numpy()[items], z.items.numpy()[items]),
        }
        for name, (known, trained) in sides.items():
            if known.any():
                fitted[name] = fit_map(known, trained)
    return fitted


def figures(fitted: Mapping[str, Fitted]) -> dict[str, Any]:
    """Return what a model card says of the maps."""
    return {
        name: {
            "lam": one.lam,
            "held_out_cosine": None if one.cosine is None else round(one.cosine, 4),
        }
        for name, one in fitted.items()
    }


def write_maps(folder: Path, graph: str, fitted: Mapping[str, Fitted]) -> None:
    """Write the maps of a graph's space."""
    tensors: dict[str, npt.NDArray[Any]] = {}
    for name, one in fitted.items():
        parts = {"mean": one.map.mean, "W": one.map.W, "bias": one.map.bias}
        tensors |= {f"{name}.{part}": np.ascontiguousarray(rows) for part, rows in parts.items()}
    lengths = {name: one.map.length for name, one in fitted.items()}
    save_file(tensors, folder / _name(graph), metadata={"lengths": json.dumps(lengths)})


def read_maps(folder: Path, graph: str) -> Maps:
    """Return the maps that lie in a model's folder."""
    with safe_open(folder / _name(graph), framework="numpy") as file:
        lengths = json.loads(file.metadata()["lengths"])

        def one(name: str) -> Map | None:
            if name not in lengths:
                return None
            mean, W, bias = (file.get_tensor(f"{name}.{part}") for part in ("mean", "W", "bias"))  # noqa: N806 - as in recsys
            return Map(mean, W, bias, lengths[name])

        history = one(HISTORY)
        assert history is not None  # noqa: S101 - `fit` always makes it
        return Maps(history, one(USER_TEXT), one(ITEM_TEXT))


def _name(graph: str) -> str:
    return f"cold-{graph}.safetensors"
