"""Parquet to rows: its types, its times, its damage; nothing of its footer is believed."""

import io
import json
import random
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.api.ingest import child, parquet_rows
from services.shared.specs.dataset import zone
from tests.ingest.bytes_of import parquet
from tests.ingest.files import Files

PARQUET: dict[str, Any] = {"format": "parquet"}
BERLIN = "Europe/Berlin"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([1, 2, 3], kind)
        for kind in (pa.int8(), pa.int32(), pa.int64(), pa.uint16(), pa.uint64())
    ]
    + [
        pa.array(["1", "2", "3"], kind)
        for kind in (pa.string(), pa.large_string(), pa.string_view())
    ]
    + [pa.array(["1", "2", "3"]).dictionary_encode()],
    ids=lambda column: str(column.type),
)
def test_ids_are_strings_or_integers_of_any_width(files: Files, ids: pa.Array) -> None:
    body = parquet({"user_id": ids, "item_id": ids})
    assert files.parse(body, **PARQUET).accepted == 3
    assert [row[:3] for row in files.rows()] == [[n, n, n] for n in "123"]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2, None], pa.int16()),
        pa.array([1.0, 2.0, None], pa.float16()),
        pa.array([1.0, 2.0, None], pa.float32()),
        pa.array([Decimal("1.00"), Decimal("2.00"), None]),
        pa.array(["1", " 2.0", None]),
        pa.array(["1", "2", ""]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_values_are_numbers_of_any_kind(files: Files, values: pa.Array) -> None:
    body = parquet({"user_id": ["a", "b", "c"], "item_id": ["i"] * 3, "value": values})
    assert files.parse(body, **PARQUET).accepted == 3
    assert [row[4] for row in files.rows()] == ["1.0", "2.0", ""]


def test_floats_come_through_to_the_last_bit(files: Files) -> None:
    draw = random.Random(1)
    values = [draw.uniform(-1, 1) * 10 ** draw.randrange(-30, 30) for _ in range(500)]
    body = parquet({"user_id": list(range(500)), "item_id": ["i"] * 500, "value": values})
    assert files.parse(body, **PARQUET).accepted == 500
    assert [float(row[4]) for row in files.rows()] == values


def test_columns_of_nothing_are_no_values(files: Files) -> None:
    nothing = pa.nulls(2)
    body = parquet(
        {"user_id": ["a", "b"], "item_id": ["i", "i"], "value": nothing, "text": nothing}
    )
    assert files.parse(body, **PARQUET).accepted == 2


def test_positions_that_gaps_made_floats_are_read(files: Files) -> None:
    body = parquet({"user_id": ["a", "b"], "item_id": ["i", "i"], "position": [3.0, None]})
    assert files.parse(body, **PARQUET).accepted == 2
    assert [row[8] for row in files.rows()] == ["3", ""]


MOMENTS = [
    datetime(2026, 3, 29, 2, 30),  # noqa: DTZ001 - in Berlin this hour does not exist
    datetime(2026, 10, 25, 2, 30),  # noqa: DTZ001 - and this one comes twice
    datetime(1999, 12, 31, 23, 59, 59),  # noqa: DTZ001 - local time is what is tested
    None,
]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_are_read_as_in_a_csv(files: Files, unit: str) -> None:
    column = pa.array(MOMENTS, pa.timestamp(unit))
    table = {"user_id": list("abcd"), "item_id": ["i"] * 4, "timestamp": column}
    assert files.parse(parquet(table), timezone=BERLIN, **PARQUET).accepted == 4
    found = [row[5] for row in files.rows()]
    texts = [moment.isoformat() if moment else "" for moment in MOMENTS]
    csv = "user_id,item_id,timestamp\n" + "".join(f"u,i,{text}\n" for text in texts)
    assert files.parse(csv.encode(), timezone=BERLIN).accepted == 4
    assert found == [row[5] for row in files.rows()]


def test_times_with_a_zone_need_no_other_and_local_ones_do(files: Files) -> None:
    zoned = pa.array([datetime(2026, 7, 1, 10, tzinfo=UTC)] * 2, pa.timestamp("ms", BERLIN))
    table = {"user_id": ["a", "b"], "item_id": ["i", "i"], "timestamp": zoned}
    assert files.parse(parquet(table), **PARQUET).accepted == 2
    assert files.rows()[0][5] == "2026-07-01 10:00:00.000000+00"
    table["timestamp"] = zoned.cast(pa.timestamp("ms"))
    outcome = files.parse(parquet(table), **PARQUET)
    assert [error["code"] for error in outcome.errors] == ["NAIVE_TIMESTAMP"] * 2


def test_dates_and_unix_times_are_times(files: Files) -> None:
    for column in ([date(2026, 7, 1)], [1782864000], [1782864000000], [1782864000.0]):
        body = parquet({"user_id": ["a"], "item_id": ["i"], "timestamp": column})
        assert files.parse(body, timezone="UTC", **PARQUET).accepted == 1
        assert files.rows()[0][5] == "2026-07-01 00:00:00.000000+00"


def test_times_beyond_the_kept_years_are_told_by_row(files: Files) -> None:
    column = pa.array([2**62, -(2**62), 0], pa.timestamp("ms"))
    body = parquet({"user_id": list("abc"), "item_id": ["i"] * 3, "timestamp": column})
    outcome = files.parse(body, timezone="UTC", **PARQUET)
    assert [(error["line"], error["code"]) for error in outcome.errors] == [
        (1, "BAD_TIMESTAMP"),
        (2, "BAD_TIMESTAMP"),
    ]
    far = pa.array([date(9999, 1, 1), date(1, 1, 1)])
    body = parquet({"user_id": ["a", "b"], "item_id": ["i", "i"], "timestamp": far})
    assert files.parse(body, timezone="UTC", **PARQUET).rejected == 2


def test_a_zone_that_polars_does_not_know_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from services.api.ingest import times  # noqa: PLC0415 - its module is what is patched

    local = pl.Series([datetime(2026, 7, 1, 12)], dtype=pl.Datetime("us"))  # noqa: DTZ001 - local
    berlin = zone(BERLIN)
    assert berlin is not None
    wanted = times.read_moments(local, berlin)[0].to_list()
    monkeypatch.setattr(times, "str", lambda _: "Nowhere/Land", raising=False)
    assert times.read_moments(local, berlin)[0].to_list() == wanted


def test_other_columns_of_profiles_keep_their_types(files: Files) -> None:
    body = parquet(
        {
            "id": ["a", "b"],
            "text": ["words", None],
            "tags": [["x", "y"], None],
            "made": [{"in": "Ulm", "year": 1950}, None],
            "counts": pa.array([[("red", 1)], None], pa.map_(pa.string(), pa.int64())),
            "price": [Decimal("1.20"), None],
            "seen": pa.array([datetime(2026, 1, 1, tzinfo=UTC), None], pa.timestamp("ns", "UTC")),
            "kind": pa.array(["book", "book"]).dictionary_encode(),
            "score": [0.5, float("nan")],
            "new": [True, None],
            "attributes": [{"colour": "red"}, None],
        }
    )
    assert files.parse(body, kind="items", **PARQUET).accepted == 2
    assert [(row[1], row[2], json.loads(row[3])) for row in files.rows()] == [
        (
            "a",
            "words",
            {
                "tags": ["x", "y"],
                "made": {"in": "Ulm", "year": 1950},
                "counts": {"red": 1},
                "price": "1.20",
                "seen": "2026-01-01T00:00:00+00:00",
                "kind": "book",
                "score": 0.5,
                "new": True,
                "colour": "red",
            },
        ),
        ("b", "", {"kind": "book"}),
    ]


def test_mapped_and_left_out_columns_are_as_in_a_csv(files: Files) -> None:
    body = parquet({"uid": ["u"], "item_id": ["i"], "a.b": ["x"]})
    how = {"mapping": {"user_id": "uid"}, **PARQUET}
    assert (files.parse(body, **how).failure or {})["code"] == "UNKNOWN_COLUMN"
    assert files.parse(body, ignore_unknown=True, **how).accepted == 1
    profile = parquet({"id": ["a"], "a.b": ["x"], "colour": ["red"]})
    files.parse(profile, kind="users", **PARQUET)
    assert json.loads(files.rows()[0][3]) == {"a.b": "x", "colour": "red"}
    files.parse(profile, kind="users", ignore_unknown=True, **PARQUET)
    assert json.loads(files.rows()[0][3]) == {}


@pytest.mark.parametrize("packed", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_every_inner_packing_is_read(files: Files, packed: str) -> None:
    body = parquet({"user_id": ["u"] * 10, "item_id": list(range(10))}, compression=packed)
    assert files.parse(body, **PARQUET).accepted == 10


def test_rows_are_numbered_through_all_groups_and_batches(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_rows, "ROWS", 30)
    monkeypatch.setattr(parquet_rows, "READ", 7)
    users = [None if n % 10 == 9 else f"u{n}" for n in range(200)]
    body = parquet({"user_id": users, "item_id": ["i"] * 200}, row_group_size=45)
    outcome = files.parse(body, **PARQUET)
    assert [error["line"] for error in outcome.errors] == list(range(10, 201, 10))
    assert [int(row[0]) for row in files.rows()] == [n for n in range(1, 201) if n % 10]


def test_a_text_that_is_no_utf8_costs_its_row(files: Files) -> None:
    raw = pa.array([b"a", b"\xff", b"c"]).cast(pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    body = parquet({"user_id": broken, "item_id": ["i", "j", "k"]})
    outcome = files.parse(body, **PARQUET)
    assert [(e["line"], e["code"], e["detail"]) for e in outcome.errors] == [
        (2, "NOT_UTF8", "user_id is no UTF-8.")
    ]
    assert [row[1] for row in files.rows()] == ["a", "c"]


def test_a_damaged_page_is_told_by_its_group(files: Files) -> None:
    table = pa.table({"user_id": list(range(300)), "item_id": list(range(300))})
    body = bytearray(parquet(table, row_group_size=100, write_page_checksum=True))
    at = pq.ParquetFile(io.BytesIO(bytes(body))).metadata.row_group(1).column(0).data_page_offset
    body[at + 90] ^= 255
    assert files.parse(bytes(body), **PARQUET).failure == {
        "code": "BAD_PARQUET",
        "detail": "Row group 2 of the Parquet file is damaged.",
    }


def _forged() -> list[bytes]:
    """Return small files, each with one count of 100 in a header or the footer made 2³¹ - 1."""
    body = parquet({"user_id": [f"u{n}" for n in range(100)], "item_id": ["i"] * 100})
    footer = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    hundred, huge = b"\xc8\x01", b"\xfe\xff\xff\xff\x0f"  # as Thrift's compact protocol has them
    found = []
    for place in range(len(body)):
        if body[place : place + 2] == hundred:
            forged = body[:place] + huge + body[place + 2 :]
            length = len(body) - 8 - footer + (3 if place > footer else 0)
            found.append(forged[:-8] + length.to_bytes(4, "little") + b"PAR1")
    return found


LIMITED = """
import random, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (3 << 30,) * 2)
from tests.ingest.files import Files
folder = Path(sys.argv[1])
files = Files(folder)
"""
FORGED = """
for path in sorted(folder.glob("*.forged")):
    outcome = files.parse(path.read_bytes(), format="parquet")
    print(outcome.accepted, (outcome.failure or {}).get("code"))
"""


def test_a_forged_count_is_told_or_does_nothing_within_the_limits(tmp_path: Path) -> None:
    for number, body in enumerate(_forged()):
        (tmp_path / f"{number:02}.forged").write_bytes(body)
    told = [line.split() for line in _limited(FORGED, tmp_path).splitlines()]
    assert len(told) == len(_forged())
    assert {code for _, code in told} <= {"None", "BAD_PARQUET", "TOO_LARGE", "PARSE_MEMORY"}
    assert {count for count, code in told if code == "None"} <= {"100"}  # nobody reads that count
    assert sum(code != "None" for _, code in told) > 3


FUZZ = """
body = (folder / "whole.parquet").read_bytes()
draw, told = random.Random(7), 0
for _ in range(250):
    broken = bytearray(body)
    for _ in range(draw.randrange(1, 4)):
        broken[draw.randrange(4, len(body) - 4)] = draw.randrange(256)
    outcome = files.parse(bytes(broken), format="parquet", kind=draw.choice(["items", "users"]))
    told += outcome.failure is not None
    assert outcome.failure is None or outcome.failure["code"] in sys.argv[2:], outcome
print(told)
"""


def test_nonsense_in_any_byte_ends_in_a_sentence(tmp_path: Path) -> None:
    table = {"id": [f"u{n}" for n in range(50)], "text": ["x"] * 50, "n": [[1, 2]] * 50}
    (tmp_path / "whole.parquet").write_bytes(parquet(table))
    codes = ("BAD_PARQUET", "TRUNCATED", "WRONG_TYPE", "MISSING_COLUMN", "TOO_LARGE")
    codes += ("PARSE_MEMORY", "DOUBLE_COLUMN", "EMPTY_FILE", "UNPACK_RATIO", "BAD_HEADER")
    assert int(_limited(FUZZ, tmp_path, *codes)) > 100


def _limited(program: str, *given: object) -> str:
    """Return what a program says in a process with the parser's limit of memory."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED + program, *map(str, given)],
        cwd=child.ROOT,
        env=child.environment(),
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
