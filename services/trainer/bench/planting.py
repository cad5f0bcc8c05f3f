"""Fakes planted into a split's train part alone; validation and test stay as they were."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.recsys.data import Bools, Ints, Split
from services.recsys.detect import plant
from services.recsys.seeds import Seeds

Kind = Literal["uniform", "popularity"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Planted:
    """A split whose train part holds fakes."""

    split: Split
    fake: Bools  # (E,) of split.train
    share: float  # fakes per true edge that were asked for
    seed: int
    kind: Kind


def planted(split: Split, *, share: float, seed: int, kind: Kind) -> Planted:
    """Plant `share` of the train edges; a fake that is held out would be none, and is left out.

    Shares of one seed and kind are drawn independently: a higher one does not contain a lower.
    """
    if not share:
        none = np.zeros(len(split.train), dtype=np.bool_)
        return Planted(split=split, fake=none, share=0.0, seed=seed, kind=kind)
    rng = Seeds(seed).numpy(f"fakes/{kind}/{share:g}")
    noisy, fake = plant(split.train, share=share, kind=kind, rng=rng)
    kept = ~(fake & held_out(split, users=noisy.users, items=noisy.items))
    train = noisy.where(kept)
    fake = fake[kept]
    return Planted(
        split=Split(train, split.val, split.test), fake=fake, share=share, seed=seed, kind=kind
    )


def held_out(split: Split, *, users: Ints, items: Ints) -> Bools:
    """Return which pairs are validation's or test's, and so no fakes: (n,), (n,) -> (n,)."""
    real = np.zeros(len(users), dtype=np.bool_)
    for part in (split.val, split.test):
        real |= part.contains(users=users, items=items)
    return real
