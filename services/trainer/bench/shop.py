"""A generated bookshop as the bench reads it: the split, the texts and the truth, by index."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.recsys.data import Bools, Interactions, Split
from services.shared.errors import UnavailableError

GENERATOR = ("-m", "winnow.bookshop")
NOISE = frozenset({"misclick", "popular"})
MARK = "truth.jsonl"
"""Written last by the generator: with it the folder is whole."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shop:
    """Texts by index, the split by index, and which train edges were planted."""

    users: tuple[str, ...]  # profile texts, (U,)
    items: tuple[str, ...]  # blurbs, (I,)
    split: Split
    planted: Bools  # (E,) of split.train


def generate(folder: Path, *, seed: int, sizes: tuple[str, ...] = ()) -> Path:
    """Have the generator write the shop of a seed, unless it stands there already.

    `sizes` are the generator's own options. Raises UnavailableError when it fails.
    """
    if (folder / MARK).exists():
        return folder
    command = [sys.executable, *GENERATOR, "--out", str(folder), "--seed", str(seed), *sizes]
    done = subprocess.run(  # noqa: S603 - the project's own program
        command, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UnavailableError(f"The bookshop generator failed: {done.stderr.strip()[-500:]}")
    return folder


def read(folder: Path) -> Shop:
    """Return the shop of a folder; users and items stand in the order of their ids."""
    users, items = (_texts(folder / f"{kind}.ndjson") for kind in ("users", "items"))
    at_user, at_item = ({ident: at for at, ident in enumerate(side)} for side in (users, items))
    rows = _lines(folder / MARK)
    pairs = np.array(
        [(at_user[row["user_id"]], at_item[row["item_id"]]) for row in rows], dtype=np.int64
    ).reshape(-1, 2)
    parts = np.array([row["split"] for row in rows])
    noise = np.array([row["kind"] in NOISE for row in rows])
    sizes = {"n_users": len(users), "n_items": len(items)}

    def graph(chosen: Bools) -> Interactions:
        return Interactions.build(users=pairs[chosen, 0], items=pairs[chosen, 1], **sizes)

    split = Split(*(graph(parts == part) for part in ("train", "val", "test")))
    fake = graph(noise)
    return Shop(
        users=tuple(users.values()),
        items=tuple(items.values()),
        split=split,
        planted=fake.contains(users=split.train.users, items=split.train.items),
    )


def _texts(path: Path) -> dict[str, str]:
    return dict(sorted((str(row["id"]), str(row["text"])) for row in _lines(path)))


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
