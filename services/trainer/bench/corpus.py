"""A folder's published split with its texts and their vectors."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from services.recsys.data import Embeddings, Interactions, Split
from services.shared.errors import InvalidError
from services.trainer.bench import endpoint, published
from services.trainer.bench.answers import Asked
from services.trainer.bench.peers import tell

WANTED = "a JSON object a line with id and text."
TOLD, TOLD_CHARS = 6, 240
"""Of how many train items a retold user's text speaks, and how much of each item's text."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """A split and everybody's text, numbered alike; "" where nobody wrote one."""

    split: Split
    users: tuple[str, ...]  # (U,)
    items: tuple[str, ...]  # (I,)


def read(folder: Path, *, composed: bool = False) -> Corpus:
    """Return the split with `users.jsonl.gz` and `items.jsonl.gz` (an object a line: id, text).

    Where users' texts are `composed`, nobody needs a file of them: missing, all are empty. Raises
    InvalidError as `published.read` does, and when a file of texts is missing or can't be read.
    """
    split, (users, items) = published.read(folder), published.ids(folder)
    told = folder / "users.jsonl.gz"
    return Corpus(
        split,
        users=("",) * len(users) if composed and not told.exists() else _texts(told, users),
        items=_texts(folder / "items.jsonl.gz", items),
    )


def vectors(corpus: Corpus, out: Path) -> Embeddings:
    """Return the texts' vectors by the local endpoint, kept in `out`: (U, d_llm), (I, d_llm).

    A missing text has a row of zeros. Raises UnavailableError when the endpoint does not come up.
    """
    out.mkdir(parents=True, exist_ok=True)
    with endpoint.serving(out / "local_llm.log") as client:
        asked = Asked(client, endpoint.about(client), out / "answers")
        tell("vectors of the texts")
        found = asyncio.run(asked.vectors(corpus))
    return Embeddings(blank(found.users, corpus.users), blank(found.items, corpus.items))


def composed(items: Tensor, train: Interactions) -> Tensor:
    """Return each user's mean of the items' vectors over the train edges: (I, d) -> (U, d).

    The user's text as the training graph knows it: no word of a history that was cleaned.
    """
    users = torch.from_numpy(train.users)
    sums = items.new_zeros(train.n_users, items.shape[1])
    sums.index_add_(0, users, items[torch.from_numpy(train.items)])
    degrees = torch.from_numpy(train.user_degrees()).clamp_min(1)
    return sums / degrees[:, None]


def fingerprint(*arrays: npt.NDArray[np.generic]) -> str:
    """Return a hash of the arrays' kinds, shapes and values."""
    found = sha256()
    for array in arrays:
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def retold(corpus: Corpus) -> Corpus:
    """Return the corpus with users' texts made of the beginnings of their train items' texts.

    The items are spread evenly over the user's own, in the order of their index.
    """
    train = corpus.split.train
    starts = train.indptr()
    users = []
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        at = np.unique(np.linspace(begin, end - 1, TOLD).round().astype(np.int64))
        own = train.items[at].tolist() if end > begin else []
        users.append("\n".join(corpus.items[i][:TOLD_CHARS] for i in own))
    return replace(corpus, users=tuple(users))


def _texts(path: Path, ids: Sequence[int | str]) -> tuple[str, ...]:
    if not path.exists():
        raise InvalidError(f"{path.parent} has no {path.name}: texts by id, a JSON object a line.")
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
            told = [_told(line, f"{path}, line {n}") for n, line in enumerate(lines, start=1)]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        raise InvalidError(f"{path}: {WANTED}") from None
    by_id = dict(told)
    known = sum(one in by_id for one in ids)
    if by_id and not known:
        one, other = next(iter(by_id)), ids[0]
        raise InvalidError(
            f"{path}: none of its ids is in {published.FILE}: {one!r}, not {other!r}."
        )
    tell(f"{path.name}: texts of {known:,} of {len(ids):,}")
    return tuple(by_id.get(one, "") for one in ids)


def _told(line: str, where: str) -> tuple[int | str, str]:
    """Return a line's id and text."""
    try:
        row = json.loads(line)
        if isinstance(row["id"], (int, str)):
            return row["id"], str(row["text"] or "")
    except (ValueError, KeyError, TypeError):
        pass
    raise InvalidError(f"{where}: {WANTED}")


def blank(vectors: Tensor, texts: Sequence[str]) -> Tensor:
    """Put zeros where there is no text: (n, d) -> (n, d)."""
    there = torch.tensor([bool(text.strip()) for text in texts])
    return torch.where(there[:, None], vectors, 0.0)
