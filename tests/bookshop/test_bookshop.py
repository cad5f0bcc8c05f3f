"""The generated shop is frozen, keeps its truth aside, and means what it says."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from plain_models import ease, matrices, popularity, recall

from winnow.bookshop.books import THEMES
from winnow.bookshop.draws import Draws
from winnow.bookshop.files import TRUTH, UPLOADED, write_shop
from winnow.bookshop.shop import NOISE_KINDS, Shop, make_shop

FROZEN = {
    "users.ndjson": "53424773087a417afdcc8a3ba2feb0697bc83ce24b949f1c2e81594d8e877466",
    "items.ndjson": "e139c42a0d71d5ca0b996bea1ec9b81c9aa8a93bb738a9b8afefa3f93d8c4bc4",
    "interactions.csv": "08e9366df069778785e167248d9edeb4c236282c2bd4da31b8cb1e2240371e5b",
    "truth.jsonl": "1169336a9269a0ceee283fd7329c7f2b2bfcadaf73346ac3ab2e8b71c5b348f8",
}


@pytest.fixture(scope="module")
def shop() -> Shop:
    return make_shop(0)


@pytest.fixture(scope="module")
def folder(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shop")
    write_shop(shop, out, seed=0)
    return out


def test_the_default_shop_is_frozen_by_hash(folder: Path) -> None:
    names = [*UPLOADED.values(), TRUTH]
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    assert hashes == FROZEN


def test_another_seed_gives_another_shop() -> None:
    small = make_shop(1, readers=20, books=96), make_shop(2, readers=20, books=96)
    assert small[0].purchases != small[1].purchases


def test_a_fifth_of_the_train_edges_is_noise_and_none_elsewhere(shop: Shop) -> None:
    train = [purchase for purchase in shop.purchases if purchase.split == "train"]
    noise = [purchase for purchase in shop.purchases if purchase.kind in NOISE_KINDS]
    assert 16_000 <= len(train) <= 20_000
    assert all(purchase.split == "train" for purchase in noise)
    assert len(noise) / len(train) == pytest.approx(0.20, abs=0.005)
    popular = sum(purchase.kind == "popular" for purchase in noise)
    assert popular / len(noise) == pytest.approx(0.5, abs=0.03)


def test_no_reader_buys_a_book_twice(shop: Shop) -> None:
    pairs = [(purchase.reader, purchase.book) for purchase in shop.purchases]
    assert len(pairs) == len(set(pairs))


def test_a_side_purchase_is_of_the_side_theme_that_the_profile_tells(shop: Shop) -> None:
    side = [purchase for purchase in shop.purchases if purchase.kind == "side"]
    assert len(side) > 1_000
    for purchase in side:
        reader, book = shop.readers[purchase.reader], shop.books[purchase.book]
        assert book.theme == reader.side
        assert book.theme not in reader.tastes
        assert any(aside in reader.text for aside in THEMES[book.theme].asides)


def test_readers_and_blurbs_share_few_words_of_a_theme() -> None:
    common = {"a", "an", "and", "the", "of", "in", "on", "to", "with", "at", "for", "by", "that",
              "one", "is", "who", "or", "from", "what", "how", "as", "its", "it", "not", "about",
              "over", "up", "where", "few", "things", "every"}  # fmt: skip
    for theme in THEMES:
        said = " ".join(theme.readers).lower().replace(",", " ").replace("-", " ").split()
        told = " ".join((*theme.heroes, *theme.places, *theme.plots)).lower().replace("-", " ")
        shared = (set(said) - common) & set(told.replace(",", " ").split())
        assert len(shared) <= 2, (theme.name, shared)


def test_titles_are_different(shop: Shop) -> None:
    assert len({book.title for book in shop.books}) == len(shop.books)


def test_what_is_uploaded_says_nothing_of_the_truth(folder: Path) -> None:
    with (folder / UPLOADED["interactions"]).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["user_id", "item_id", "type", "value", "timestamp", "split"]
    assert {row["type"] for row in rows} == {"purchase"}
    for name, keys in (
        ("users", {"branch", "member_since"}),
        ("items", {"title", "author", "year"}),
    ):
        lines = (folder / UPLOADED[name]).read_text(encoding="utf-8").splitlines()
        assert set(json.loads(lines[0])) == {"id", "text"} | keys
    truth = (folder / TRUTH).read_text(encoding="utf-8").splitlines()
    assert len(truth) == len(rows)


# docs/bookshop.md prints these figures: they are measured here and nowhere else.
@pytest.mark.parametrize(
    ("ridge", "raw", "oracle"), [(200.0, 0.4745, 0.4900), (50.0, 0.4398, 0.4707)]
)
def test_the_clean_graph_beats_the_noisy_one_and_both_beat_popularity(
    shop: Shop, ridge: float, raw: float, oracle: float
) -> None:
    noisy, clean, test = matrices(shop)
    found = [recall(ease(graph, ridge=ridge), noisy, test) for graph in (noisy, clean)]
    assert found == pytest.approx([raw, oracle], abs=5e-4)  # ties fall otherwise
    assert recall(popularity(noisy), noisy, test) == pytest.approx(0.0861, abs=5e-4)


def test_ease_by_hand_on_two_books() -> None:
    train = np.array([[1.0, 1.0], [1.0, 0.0]])
    # X'X + I = [[3, 1], [1, 2]]; P = [[2, -1], [-1, 3]] / 5; B01 = 1/3, B10 = 1/2
    expected = np.array([[1 / 2, 1 / 3], [0.0, 1 / 3]])
    np.testing.assert_allclose(ease(train, ridge=1.0), expected, atol=1e-12)


def test_drawing_without_replacement_follows_the_weights() -> None:
    draws = Draws(3)
    weights = np.log(np.array([0.7, 0.2, 0.1]))
    firsts = [int(draws.sample(weights, 1)[0]) for _ in range(4_000)]
    assert firsts.count(0) / 4_000 == pytest.approx(0.7, abs=0.03)
    assert sorted(draws.sample(weights, 3).tolist()) == [0, 1, 2]
