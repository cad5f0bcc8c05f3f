"""What the calibrate command found, per encoder: reference centres as data, cuts as constants."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from services.local_llm.scores import Centres

DATA = Path(str(files("services.local_llm"))) / "data"


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """A score at or above `high` is High, one below `low` is Low, between them Mid."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The cuts of both views, and the share of a shelf's likeness that the item view takes off."""

    user: Cuts
    item: Cuts
    share: float


# `python -m services.local_llm.calibrate` derives these again and prints the difference.
THRESHOLDS = {
    "minilm-l6": Thresholds(
        user=Cuts(low=0.047, high=0.131), item=Cuts(low=0.133, high=0.206), share=0.1
    ),
    "hashed-tfidf": Thresholds(
        user=Cuts(low=0.039, high=0.089), item=Cuts(low=0.094, high=0.126), share=0.2
    ),
}


def load_centres(encoder: str) -> Centres:
    """Return the reference centres that ship for an encoder."""
    arrays = load_file(_path(encoder))
    user, item = (arrays[role].astype(np.float32) for role in ("user", "item"))
    return Centres(user=user, item=item, shelf_likeness=float(arrays["shelf_likeness"][0]))


def save_centres(encoder: str, centres: Centres) -> Path:
    """Write the centres in half precision; return the file."""
    arrays = {"user": centres.user, "item": centres.item}
    halves = {role: rows.astype(np.float16) for role, rows in arrays.items()}
    likeness = np.array([centres.shelf_likeness], dtype=np.float32)
    save_file({**halves, "shelf_likeness": likeness}, _path(encoder))
    return _path(encoder)


def _path(encoder: str) -> Path:
    return DATA / f"centres-{encoder}.safetensors"
