"""A published split on disk: what is no table of pairs is told by its path and column."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from services.shared.errors import InvalidError
from services.trainer.bench import published

GOOD: dict[str, Any] = {"user_id": [1, 2], "item_id": ["a", "b"], "split": ["train", "test"]}


def _refused(folder: Path) -> str:
    told = []
    for read in (published.read, published.parts, published.ids):
        with pytest.raises(InvalidError) as error:
            read(folder)
        told.append(error.value.detail.replace(str(folder / published.FILE), "FILE"))
    assert told[0] == told[1] == told[2]
    return told[0]


@pytest.mark.parametrize("held", [b"", b"user_id,item_id\n1,2\n", b"PAR1" + 40 * b"x" + b"PAR1"])
def test_a_file_that_is_no_parquet_is_told_in_a_sentence(tmp_path: Path, held: bytes) -> None:
    (tmp_path / published.FILE).write_bytes(held)
    told = _refused(tmp_path)
    assert told.startswith("FILE can't be read as parquet: ")
    assert "\n" not in told


def test_a_folder_in_the_files_place_is_no_file(tmp_path: Path) -> None:
    (tmp_path / published.FILE).mkdir()
    assert _refused(tmp_path) == f"{tmp_path} has no interactions.parquet."


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"user_id": [1, None]}, "column user_id is null in row 1, counted from 0."),
        ({"item_id": [None, "b"]}, "column item_id is null in row 0, counted from 0."),
        ({"split": ["train", None]}, "column split is null in row 1, counted from 0."),
        ({"user_id": [1.0, 2.5]}, "column user_id holds Float64, not whole numbers or words."),
        ({"item_id": [None, None]}, "column item_id holds Null, not whole numbers or words."),
        ({"split": [0, 2]}, "column split holds Int64, not words."),
    ],
)
def test_an_unfit_column_is_told_by_its_name(
    tmp_path: Path, fault: dict[str, Any], told: str
) -> None:
    pl.DataFrame({**GOOD, **fault}).write_parquet(tmp_path / published.FILE)
    assert _refused(tmp_path) == f"FILE: {told}"


def test_a_table_without_a_row_is_told_so(tmp_path: Path) -> None:
    pl.DataFrame(GOOD).clear().write_parquet(tmp_path / published.FILE)
    assert _refused(tmp_path) == "FILE has no row: user_id, item_id and split, a row a pair."


def test_ids_may_be_numbers_or_words_and_the_split_a_category(tmp_path: Path) -> None:
    rows = pl.DataFrame(GOOD).with_columns(pl.col("split").cast(pl.Categorical))
    rows.write_parquet(tmp_path / published.FILE)
    assert published.ids(tmp_path) == ([1, 2], ["a", "b"])
    assert {name: len(part) for name, part in published.parts(tmp_path).items()} == {
        "train": 1,
        "test": 1,
    }
