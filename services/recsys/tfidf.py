"""TF-IDF in numpy and scipy: how much a text is about a word (Salton and Buckley 1988)."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, diags_array

_WORD = re.compile(r"[^\W_]{2,}")

MIN_TEXTS = 2
"""A word of one text alone ties it to no other."""

MAX_SHARE = 0.5
"""A word of more than half the texts tells nobody apart."""


def tf_idf(texts: Sequence[str]) -> csr_matrix:
    """Return rows of length 1 over the words that tell texts apart: (n, words) float32.

    x_tw = (1 + ln n_tw) (1 + ln((1 + n) / (1 + n_w))), n_tw the occurrences of word w in text t,
    n_w the texts with w. A text without such words is a row of zeros.

    Raises ValueError for one string in place of many, and for a text that is none.
    """
    _check(texts)
    counted = [Counter(_WORD.findall(text.lower())) for text in texts]
    spread = Counter(word for words in counted for word in words)
    most = max(MAX_SHARE * len(texts), MIN_TEXTS)
    kept = sorted(word for word, n in spread.items() if MIN_TEXTS <= n <= most)
    column = {word: place for place, word in enumerate(kept)}
    cells = [
        (row, column[word], n)
        for row, words in enumerate(counted)
        for word, n in words.items()
        if word in column
    ]
    rows, columns, counts = np.array(cells, dtype=np.int64).reshape(-1, 3).T
    rarity = 1 + np.log((1 + len(texts)) / (1 + np.array([spread[word] for word in kept])))
    values = ((1 + np.log(counts)) * rarity[columns]).astype(np.float32)
    return unit_rows(csr_matrix((values, (rows, columns)), shape=(len(texts), len(kept))))


def _check(texts: Sequence[str]) -> None:
    one = isinstance(texts, str | bytes)
    if one:
        raise ValueError("texts is one string: a list of strings is wanted, a text each")
    for place, text in enumerate(texts):
        fine = isinstance(text, str)
        if not fine:
            raise ValueError(f"texts[{place}] is {text!r}: no string; a missing text is ''")


def unit_rows(matrix: csr_matrix) -> csr_matrix:
    """Return the rows at length 1; rows of zeros stay zeros."""
    lengths = np.sqrt(np.asarray(matrix.power(2).sum(axis=1), dtype=np.float32)).ravel()
    scale = np.where(lengths > 0, 1 / np.maximum(lengths, 1e-12), 0).astype(np.float32)
    return csr_matrix(diags_array(scale) @ matrix)
