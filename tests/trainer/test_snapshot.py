"""From a log to a graph: what counts, what falls, what comes first."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from services.recsys.split import TEST, TRAIN, VAL, apply_parts
from services.shared.llm.cache_key import text_key
from services.shared.specs import DatasetSettings
from services.trainer.errors import SplitError, TooSmallError
from services.trainer.snapshot import figures, positives, profiles, split


def _log(folder: Path, *lines: str) -> Path:
    """Write user, item, type, value, micros, split, seq as COPY does."""
    path = folder / "log.csv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _graph(*pairs: tuple[str, str], split_: str = "train") -> pl.DataFrame:
    return pl.DataFrame(
        [(u, i, None, split_) for u, i in sorted(pairs)],
        schema={"user_id": pl.String, "item_id": pl.String, "micros": pl.Int64, "split": pl.String},
        orient="row",
    )


def test_only_what_the_expression_calls_positive_stays(tmp_path: Path) -> None:
    path = _log(
        tmp_path,
        "a,x,purchase,5,,,1",
        "a,y,view,5,,,2",
        "b,x,purchase,3,,,3",
        "b,y,purchase,,,,4",  # no value is no evidence of a good one
        'c,"x, the ""first""",purchase,4,,,5',
    )
    read = positives.read(path, positive='value>=4 AND type="purchase"')
    assert read.pairs.select("user_id", "item_id").rows() == [("a", "x"), ("c", 'x, the "first"')]
    assert (read.rows, read.negative, read.duplicates) == (5, 3, 0)


def test_a_log_without_a_line_has_no_pairs(tmp_path: Path) -> None:
    read = positives.read(_log(tmp_path), positive=None)
    assert (read.rows, read.pairs.rows()) == (0, [])


def test_lines_and_quotes_within_a_text_survive_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(b'a,"one\r\ntwo ""quoted"", three"\nb,\n')
    read = profiles.read(path, ["a", "b", "c"])
    assert read["text"].to_list() == ['one\r\ntwo "quoted", three', None, None]


def test_a_pair_in_two_splits_trains_and_never_tests(tmp_path: Path) -> None:
    path = _log(
        tmp_path,
        "a,x,,,,test,1",
        "a,x,,,,train,2",
        "a,y,,,,test,3",
        "a,y,,,,val,4",
        "a,z,,,20,test,5",
        "a,z,,,10,test,6",
        "a,w,,,,,7",  # without a word: it trains
    )
    read = positives.read(path, positive=None)
    assert read.pairs.rows() == [
        ("a", "w", None, "train"),
        ("a", "x", None, "train"),
        ("a", "y", None, "val"),
        ("a", "z", 10, "test"),
    ]
    assert read.duplicates == 3


def test_indices_follow_the_bytes_of_the_ids() -> None:
    ids = ["10", "9", "Z", "a", "é", "中", "😀"]
    graph = split.index(_graph(*[(u, "x") for u in ids]))
    assert graph.user_ids == sorted(ids, key=str.encode)
    assert graph.edges.users.tolist() == list(range(7))


def test_users_of_too_few_pairs_leave_and_take_their_items_along() -> None:
    # d has one pair; without it z has one, and so leaves too; then c has one left
    pairs = [(u, i) for u in "ab" for i in "xy"] + [("c", "x"), ("c", "z"), ("d", "z")]
    settings = DatasetSettings.read({"min_user_degree": 2, "min_item_degree": 2})
    graph = split.core(_graph(*pairs), settings)
    assert (graph.user_ids, graph.item_ids) == (["a", "b"], ["x", "y"])
    assert len(graph.pairs) == len(graph.edges) == 4


def test_the_uploaded_column_is_the_split() -> None:
    pairs = _graph(("a", "x"), ("a", "y"), ("b", "x")).with_columns(
        split=pl.Series(["val", "train", "test"])
    )
    settings = DatasetSettings.read({"split": {"kind": "column"}})
    assert split.parts(split.index(pairs), settings).tolist() == [VAL, TRAIN, TEST]


def test_a_word_that_is_no_split_is_named() -> None:
    pairs = _graph(("a", "x"), split_="holdout")
    settings = DatasetSettings.read({"split": {"kind": "column"}})
    with pytest.raises(SplitError, match="'holdout'"):
        split.parts(split.index(pairs), settings)


def test_a_split_by_time_without_times_says_how_many_are_missing() -> None:
    settings = DatasetSettings.read({"split": {"kind": "temporal"}})
    with pytest.raises(SplitError, match="2 pairs have none"):
        split.parts(split.index(_graph(("a", "x"), ("b", "x"))), settings)


def test_a_text_is_composed_of_the_latest_train_items() -> None:
    graph = split.index(_graph(*[("a", f"i{n}") for n in range(8)], ("b", "i0")))
    users = pl.DataFrame(
        {"index": [0, 1], "id": ["a", "b"], "text": [None, "own words"]},
        schema_overrides={"index": pl.Int32},
    )
    texts = [None if n == 6 else f"text {n}" for n in range(8)]
    items = pl.DataFrame(
        {"index": range(8), "id": graph.item_ids, "text": texts},
        schema_overrides={"index": pl.Int32},
    )
    train = apply_parts(graph.edges, np.array([TRAIN] * 7 + [TEST] + [TRAIN], dtype=np.int8)).train
    recency = [9, 2, 3, 4, 5, 6, 7, 1]  # of the train edges; i6 has no text, i7 tests
    composed = profiles.compose(users, items, train=train, recency=recency)
    assert composed["text"].to_list() == [
        "text 0\ntext 5\ntext 4\ntext 3\ntext 2",
        "own words",
    ]
    assert composed["composed"].to_list() == [True, False]


def test_a_text_is_known_by_the_hash_of_its_bytes() -> None:
    hashed = profiles.with_hashes(pl.DataFrame({"text": ["über", None]}))
    assert hashed["text_sha256"].to_list() == [text_key("über"), None]


def test_too_little_data_is_told_with_counts_and_minima() -> None:
    graph = split.index(_graph(("a", "x"), ("a", "y"), ("b", "x")))
    divided = apply_parts(graph.edges, np.array([TRAIN, VAL, TEST], dtype=np.int8))
    with pytest.raises(TooSmallError) as raised:
        figures.check_enough(divided)
    assert raised.value.detail == (
        "Too little data: 1 users with training interactions (at least 10), "
        "1 items with training interactions (at least 10), "
        "1 users with validation items (at least 5), 1 users with test items (at least 5)."
    )
