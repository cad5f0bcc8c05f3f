"""What fold-in and texts are worth to users and items that the training never saw.

Some users and items are taken out of all three parts of a published split, a raw model is trained
on the rest, and the newcomers are recommended to, or recommended, by what a published model keeps
for them. Half of the newcomers choose, by their validation items; the others are read once, by
their test items.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from services.recsys.closed_forms import Popularity
from services.recsys.cold import pooled
from services.recsys.data import Bools, Embeddings, Floats, Interactions, Ints, Split
from services.recsys.evaluate import evaluate
from services.recsys.seeds import Seeds
from services.shared.specs import RunSpec
from services.trainer import newcomers
from services.trainer.bench import corpus, recipe
from services.trainer.bench.peers import tell

SHARE = 5
"""One in so many users, and items, is new."""

AIMS = {
    "a folded-in history reaches 60 % of the warm users' R@20": ("fold-in", "warm", 0.6),
    "a text alone reaches twice popularity for a new user": ("text", "popularity", 2.0),
    "a text alone reaches twice what popularity at the training says of new items": (
        "item text",
        "blind (items)",
        2.0,
    ),
}
Figures = dict[str, float]
Scores = Callable[[Ints], Floats]
Part = Literal["val", "test"]


@dataclass(frozen=True, eq=False)
class Newcomers:
    """Who was taken out: those who choose and those who are read at the end."""

    users: Bools  # (U,)
    items: Bools  # (I,)
    choosing: Bools  # (U,), of the users
    choosing_items: Bools  # (I,), of the items


@dataclass(frozen=True, eq=False)
class Trained:
    """The model that knows everybody, and the one that knows only those who stayed."""

    warm: Embeddings
    cold: Embeddings
    train: Interactions  # what the second one saw


def run(data: Path, out: Path, *, seed: int) -> tuple[Figures, Figures]:
    """Return R@20 by name, of those who choose on validation and of the others on test."""
    known = corpus.read(data)
    split, vectors = known.split, corpus.vectors(known, out)
    new = _drawn(split, Seeds(seed).numpy("newcomers"))
    trained = _train(split, new, seed)
    return _judge(split, new, trained, vectors, "val"), _judge(split, new, trained, vectors, "test")


def table(chosen: Figures, read: Figures) -> str:
    """Return both readings as Markdown, with the aims as MET or MISSED above."""
    lines = [
        f"- {'MET' if read[name] >= least * read[beside] else 'MISSED'}: {claim} "
        f"({read[name] / max(read[beside], 1e-12):.2f})"
        for claim, (name, beside, least) in AIMS.items()
    ]
    lines += ["", "| by | those who choose, validation R@20 | the others, test R@20 |"]
    lines += ["| --- | ---: | ---: |"]
    return "\n".join(lines + [f"| {n} | {chosen[n]:.4f} | {read[n]:.4f} |" for n in chosen])


def _drawn(split: Split, rng: np.random.Generator) -> Newcomers:
    sides = []
    for count in (split.train.n_users, split.train.n_items):
        order = rng.permutation(count)[: count // SHARE]
        new, choosing = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
        new[order] = True
        choosing[order[: len(order) // 2]] = True
        sides.append((new, choosing))
    (users, choosing_users), (items, choosing_items) = sides
    return Newcomers(users, items, choosing_users, choosing_items)


def _train(split: Split, new: Newcomers, seed: int) -> Trained:
    def stayed(edges: Interactions) -> Interactions:
        return edges.where(~new.users[edges.users] & ~new.items[edges.items])

    rest = Split(stayed(split.train), stayed(split.val), stayed(split.test))
    spec = RunSpec(seed=seed)
    tell("training without the newcomers")
    cold = recipe.train_raw(rest, spec).embeddings
    tell("training with everybody")
    return Trained(recipe.train_raw(split, spec).embeddings, cold, rest.train)


def _judge(
    split: Split, new: Newcomers, trained: Trained, texts: Embeddings, part: Part
) -> Figures:
    users = new.choosing if part == "val" else new.users & ~new.choosing
    return {
        **_users(split, users, new, trained, texts, part),
        **_items(split, new, trained, texts, part),
    }


def _users(
    split: Split, users: Bools, new: Newcomers, trained: Trained, texts: Embeddings, part: Part
) -> Figures:
    """Return what new users are recommended among the items that were trained."""

    def of_them(edges: Interactions) -> Interactions:
        return edges.where(users[edges.users] & ~new.items[edges.items])

    history, target = of_them(split.train), of_them(getattr(split, part))
    maps = newcomers.fit(trained.cold, trained.train, _without(texts, new))
    items = trained.cold.items.numpy()
    rows = pooled(history.csr(), items)
    popularity = Popularity().fit(trained.train).score_block
    by: dict[str, Scores] = {
        "warm": _products(trained.warm.users.numpy(), trained.warm.items.numpy()),
        "fold-in": _products(maps[newcomers.HISTORY].map(rows), items),
        "mean of the items": _products(rows, items),
        "text": _products(maps[newcomers.USER_TEXT].map(texts.users.numpy()), items),
        "popularity": popularity,
    }
    return {name: _recall(scores, target, history, ~new.items) for name, scores in by.items()}


def _items(
    split: Split, new: Newcomers, trained: Trained, texts: Embeddings, part: Part
) -> Figures:
    """Return how new items are ranked among themselves, for users who were trained."""
    items = new.choosing_items if part == "val" else new.items & ~new.choosing_items

    def of_them(edges: Interactions) -> Interactions:
        return edges.where(~new.users[edges.users] & items[edges.items])

    target, hidden = of_them(getattr(split, part)), _nothing(split)
    maps = newcomers.fit(trained.cold, trained.train, _without(texts, new))
    users = trained.cold.users.numpy()
    by: dict[str, Scores] = {
        "item text": _products(users, maps[newcomers.ITEM_TEXT].map(texts.items.numpy())),
        "blind (items)": Popularity().fit(trained.train).score_block,
        "popularity in hindsight (items)": Popularity().fit(split.train).score_block,
        "warm (items)": _products(trained.warm.users.numpy(), trained.warm.items.numpy()),
    }
    return {name: _recall(scores, target, hidden, items) for name, scores in by.items()}


def _without(texts: Embeddings, new: Newcomers) -> Embeddings:
    """Return the texts as the training had them: nothing of a newcomer."""
    users, items = texts.users.clone(), texts.items.clone()
    users[new.users], items[new.items] = 0, 0
    return Embeddings(users, items)


def _nothing(split: Split) -> Interactions:
    return split.train.where(np.zeros(len(split.train), dtype=np.bool_))


def _products(users: Floats, items: Floats) -> Scores:
    return lambda some: users[some] @ items.T


def _recall(scores: Scores, target: Interactions, hidden: Interactions, among: Bools) -> float:
    def within(users: Ints) -> Floats:
        kept: Floats = np.where(among, scores(users), -np.inf).astype(np.float32)
        return kept

    return evaluate(within, target, mask=hidden, ks=(20,)).means()["recall@20"]
