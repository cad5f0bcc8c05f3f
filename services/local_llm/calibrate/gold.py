"""The rated pairs with their texts, split in two by reader; and another kind of shop."""

import gzip
import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow.parquet as pq

from services.local_llm.question import Question

Texts = dict[int, str]


@dataclass(frozen=True)
class Shop:
    """The texts of a dataset folder, by id."""

    users: Texts
    items: Texts


@dataclass(frozen=True)
class Rated:
    """A pair as both views ask it, what the LLM said, and whether the edge was planted."""

    user: Question
    item: Question
    said: dict[str, str]  # view -> High, Mid or Low
    kind: str
    fitted: bool


def load_shop(folder: Path) -> Shop:
    """Return the texts of users.jsonl.gz and items.jsonl.gz."""
    return Shop(_texts(folder / "users.jsonl.gz"), _texts(folder / "items.jsonl.gz"))


def load_gold(path: Path, shop: Shop) -> list[Rated]:
    """Return the pairs of ratings.jsonl (or of the folder that holds it), texts joined."""
    file = path / "ratings.jsonl" if path.is_dir() else path
    return [_rated(orjson.loads(line), shop) for line in file.read_bytes().splitlines()]


def in_fit(user_id: int) -> bool:
    """Tell whether a reader is in the half that is fitted on, by the hash of the id."""
    return hashlib.sha256(str(user_id).encode()).digest()[0] % 2 == 0


def sample(texts: Texts, count: int) -> list[str]:
    """Return `count` texts, always the same."""
    chosen = random.Random(20251107).sample(sorted(texts), min(count, len(texts)))  # noqa: S311 - a sample, no secret
    return [texts[key] for key in chosen]


@dataclass(frozen=True)
class Other:
    """A pair of another shop as both views ask it, and whether it is a true one."""

    user: Question
    item: Question
    true: bool
    fitted: bool


def other_pairs(folder: Path, count: int) -> list[Other]:
    """Return true train pairs of `count` readers and as many random ones, in the same halves.

    The random item of a pair is another pair's item: the same popularity, no taste.
    """
    shop, chosen = load_shop(folder), _histories(folder)
    users = random.Random(7).sample(sorted(set(shop.users) & set(chosen)), count)  # noqa: S311 - a sample, no secret
    items = [chosen[user][0] for user in users]
    rows = zip(users, items, items[1:] + items[:1], strict=True)
    return [
        Other(*_questions(shop, user, item, chosen[user][1:]), truth, in_fit(user))
        for user, own, other in rows
        for item, truth in ((own, True), (other, False))
    ]


def shuffled(rated: list[Rated]) -> list[tuple[Question, Question]]:
    """Return both views of every reader with the next pair's item in place of the own."""
    items = [pair.user.item for pair in rated[1:] + rated[:1]]
    return [
        (Question("user", pair.user.asked, item), Question("item", pair.item.asked, item))
        for pair, item in zip(rated, items, strict=True)
    ]


def _histories(folder: Path) -> dict[int, list[int]]:
    table = pq.read_table(folder / "interactions.parquet", filters=[("split", "=", "train")])
    histories: dict[int, list[int]] = {}
    columns = (table[name].to_pylist() for name in ("user_id", "item_id"))
    for user, item in zip(*columns, strict=True):
        histories.setdefault(user, []).append(item)
    order = random.Random(11)  # noqa: S311 - a sample, no secret
    return {user: order.sample(own, 6) for user, own in histories.items() if len(own) >= 6}


def _rated(row: dict[str, object], shop: Shop) -> Rated:
    user, item, liked = row["user_id"], row["item_id"], row["history"]
    if not (isinstance(user, int) and isinstance(item, int) and isinstance(liked, list)):
        raise TypeError("a rated pair needs user_id, item_id and history")
    said = {view: str(row[f"{view}_view"]) for view in ("user", "item")}
    return Rated(*_questions(shop, user, item, liked), said, str(row["kind"]), in_fit(user))


def _questions(shop: Shop, user: int, item: int, liked: list[int]) -> tuple[Question, Question]:
    text = shop.items[item]
    shelf = tuple(shop.items[key] for key in liked)
    return Question("user", (shop.users[user],), text), Question("item", shelf, text)


def _texts(path: Path) -> Texts:
    with gzip.open(path) as lines:
        rows = [orjson.loads(line) for line in lines]
    return {row["id"]: row["text"] for row in rows}
