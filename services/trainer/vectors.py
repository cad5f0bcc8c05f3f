"""Pairs of matrices on disk: users' and items' vectors in one safetensors file."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from services.recsys.data import Embeddings

USERS, ITEMS = "users", "items"


def save(path: Path, vectors: Embeddings, *, extra: Mapping[str, Tensor] | None = None) -> None:
    """Write "users" (U, d) and "items" (I, d), and whatever else is named."""
    tensors = {USERS: vectors.users, ITEMS: vectors.items, **(extra or {})}
    save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, path)


def load(path: Path) -> Embeddings:
    """Return the vectors as float32 on the CPU."""
    tensors = load_file(path)
    return Embeddings(tensors[USERS].to(torch.float32), tensors[ITEMS].to(torch.float32))
