"""The vectors of a snapshot's texts, as matrices by index."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from sqlalchemy.orm import Session
from torch import Tensor

from services.recsys.data import Embeddings
from services.shared.db.repos import embeddings
from services.trainer.snapshot.files import Snapshot


@dataclass(frozen=True, eq=False)
class Texts:
    """Sentence vectors of both sides; who has none has zeros: no likeness to anybody."""

    vectors: Embeddings  # (U, d_llm), (I, d_llm) float32
    missing_users: Tensor  # (U,) bool
    missing_items: Tensor  # (I,) bool


def load(session: Session, snapshot: Snapshot, *, model: str) -> Texts | None:
    """Return the vectors that `model` made of the texts; None when a side has none at all."""
    users, items = (_side(session, side, model) for side in (snapshot.users, snapshot.items))
    if users is None or items is None:
        return None
    return Texts(Embeddings(users[0], items[0]), users[1], items[1])


def _side(session: Session, profiles: pl.DataFrame, model: str) -> tuple[Tensor, Tensor] | None:
    keys: list[bytes | None] = profiles["text_sha256"].to_list()
    found = embeddings.load(session, model, sorted({key for key in keys if key is not None}))
    if not found:
        return None
    width = len(next(iter(found.values()))) // 2
    matrix: npt.NDArray[np.float32] = np.zeros((len(keys), width), dtype=np.float32)
    for row, key in enumerate(keys):
        if key in found:
            matrix[row] = np.frombuffer(found[key], dtype="<f2")
    missing = np.array([key not in found for key in keys])
    return torch.from_numpy(matrix), torch.from_numpy(missing)
