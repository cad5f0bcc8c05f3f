"""Hashed TF-IDF: the encoder of a machine without MiniLM; words only, no meaning.

A word's bucket and sign come from its BLAKE2 hash (Weinberger et al. 2009, arXiv 0902.2206); its
weight is (1 + ln tf) * idf, the idf kept per bucket from the calibration's book profiles. Function
words and the words that every profile is written with do not count.
"""

import math
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from services.local_llm.words import telling_words, words_of

BUCKETS = 1024
IDF_FILE = Path(str(files("services.local_llm"))) / "data" / "idf.safetensors"


class HashedTfIdf:
    """The fallback encoder: text to a unit vector of 1,024 signed word weights."""

    name = "hashed-tfidf"

    def __init__(self, idf: NDArray[np.float32]) -> None:
        self._idf = idf  # (BUCKETS,)

    @classmethod
    def load(cls) -> "HashedTfIdf":
        """Return the encoder with the document frequencies that ship with the code."""
        return cls(load_file(IDF_FILE)["idf"])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit row per text, shape (len(texts), 1024); zeros for a wordless text."""
        rows = [self._row(text) for text in texts]
        return np.stack(rows) if rows else np.empty((0, BUCKETS), dtype=np.float32)

    def count_tokens(self, text: str) -> int:
        """Return the number of words: this encoder has no finer tokens."""
        return len(words_of(text))

    def _row(self, text: str) -> NDArray[np.float32]:
        row = np.zeros(BUCKETS, dtype=np.float32)
        for word, count in Counter(telling_words(text)).items():
            bucket, sign = place(word)
            row[bucket] += sign * (1 + math.log(count)) * self._idf[bucket]
        norm = float(np.linalg.norm(row))
        return row / norm if norm else row


def place(word: str) -> tuple[int, int]:
    """Return the bucket and the sign of a word."""
    digest = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big")
    return digest % BUCKETS, 1 if digest >> 63 else -1


def document_frequencies(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the smoothed idf of every bucket, ln((1 + N) / (1 + df)) + 1, shape (1024,)."""
    frequency = np.zeros(BUCKETS)
    for text in texts:
        frequency[list({place(word)[0] for word in telling_words(text)})] += 1
    idf = np.log((1 + len(texts)) / (1 + frequency)) + 1
    return np.asarray(idf, dtype=np.float32)


def save_idf(idf: NDArray[np.float32]) -> Path:
    """Write the document frequencies that ship; return the file."""
    save_file({"idf": idf}, IDF_FILE)
    return IDF_FILE
