"""Files to rows: what is kept, what is rejected, by line."""

import json
import random
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.ingest import csv_rows, json_rows
from services.api.ingest.batch import Batch
from services.api.ingest.columns import KINDS
from services.api.ingest.lines import Lines
from services.api.ingest.seen import Seen
from services.api.ingest.times import read_times
from services.api.use_cases.read_timestamp import read_timestamp
from services.shared.errors import InvalidError
from services.shared.specs.dataset import zone
from tests.ingest.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_quotes_keep_line_ends_and_a_bom_is_no_part_of_the_header(files: Files) -> None:
    body = '\ufeffid,text\r\na,"one ""two""\r\nthree, four"\r\nb,plain\r\n'.encode()
    assert files.parse(body, kind="items").accepted == 2
    assert [row[:3] for row in files.rows()] == [
        ["2", "a", 'one "two"\r\nthree, four'],
        ["4", "b", "plain"],
    ]


def test_every_bad_line_is_told_by_its_number_and_the_rest_is_kept(files: Files) -> None:
    lines = {
        2: b'ok,i,1,,"a\nb"',  # and 3
        4: b",i,1,,",
        5: b"u,,1,,",
        6: b"u\0,i,1,,",
        7: b"u" * 257 + b",i,1,,",
        8: b"u,i,four,,",
        9: b"u,i,inf,,",
        10: b"u,i,1,2026-13-01,",
        11: b"u,i,1,2026-01-01T00:00:00,",
        12: b"u,i,1",
        13: b'u,"i"x,1,,',
        14: b"\xff,i,1,,",
        15: b"u,i,1,," + b"x" * 1001,
        16: b"u,i,1,," + b"x" * 20001,
        17: b"ok,i,1,,last",
    }
    outcome = files.parse(b"user_id,item_id,value,timestamp,text\n" + b"\n".join(lines.values()))
    assert {error["line"]: error["code"] for error in outcome.errors} == {
        4: "MISSING",
        5: "MISSING",
        6: "NUL",
        7: "ID_TOO_LONG",
        8: "BAD_NUMBER",
        9: "BAD_NUMBER",
        10: "BAD_TIMESTAMP",
        11: "NAIVE_TIMESTAMP",
        12: "FIELD_COUNT",
        13: "MALFORMED_CSV",
        14: "NOT_UTF8",
        15: "TEXT_TOO_LONG",
        16: "ROW_TOO_LONG",
    }
    assert (outcome.accepted, outcome.duplicates, outcome.rejected) == (1, 1, 13)
    assert [json.loads(line)["line"] for line in files.report().splitlines()] == [*range(4, 17)]


def test_ids_are_kept_byte_for_byte(files: Files) -> None:
    ids = ["😀", "é", "e\u0301", "a/b", "..", "%2F", " ", "u" * 256, "😀" * 64, "nan", "null"]
    body = "user_id,item_id\n" + "".join(f'"{ident}",i\n' for ident in ids)
    assert files.parse(body.encode()).accepted == len(ids)
    assert [row[1] for row in files.rows()] == ids


def test_an_open_quote_costs_the_lines_it_swallowed(files: Files) -> None:
    body = b'user_id,item_id\na,i\n"b,i\n' + b"u,i\n" * 50
    outcome = files.parse(body)
    assert (outcome.accepted, outcome.rejected) == (1, 51)
    outcome = files.parse(b'user_id,item_id\na,i\n"b,i\n' + b"u,i\n" * 50_000, max_rejected=0.01)
    assert outcome.failure is not None
    assert outcome.failure["code"] == "TOO_MANY_REJECTED"


def test_one_percent_may_be_bad_and_no_row_more(files: Files) -> None:
    good = b"user_id,item_id\n" + b"".join(b"u%d,i\n" % n for n in range(99))
    assert files.parse(good + b",i\n", max_rejected=0.01).failure is None
    outcome = files.parse(good + b",i\n,i\n", max_rejected=0.01)
    assert outcome.failure == {
        "code": "TOO_MANY_REJECTED",
        "detail": "2 of 101 rows are bad; at most 1.00% of them may be.",
    }


def test_the_first_of_equal_events_is_kept_across_batches(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_rows, "ROWS", 7)
    draw = random.Random(3)
    rows = [
        (f"u{draw.randrange(4)}", f"i{draw.randrange(4)}", draw.choice(["", "buy"]),
         draw.choice(["", "1", "2"]), draw.choice(["", "", "", "e1", "e2"]))
        for _ in range(300)
    ]  # fmt: skip
    seen: set[object] = set()
    wanted = []
    for line, row in enumerate(rows, start=2):
        mark: object = row[4] or row[:4]
        if mark not in seen:
            seen.add(mark)
            wanted.append(line)
    header = "user_id,item_id,type,timestamp,event_id\n"
    outcome = files.parse((header + "".join(",".join(row) + "\n" for row in rows)).encode())
    assert [int(row[0]) for row in files.rows()] == wanted
    assert (outcome.accepted, outcome.duplicates) == (len(wanted), 300 - len(wanted))


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_long_texts_make_short_batches_and_change_nothing(
    files: Files, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    texts = {n: "x" * (n % 90) for n in range(200)}
    body = "id,text\n" + "".join(f"{n},{text}\n" for n, text in texts.items())
    if form == "ndjson":
        body = "".join(json.dumps({"id": n, "text": text}) + "\n" for n, text in texts.items())
    files.parse(body.encode(), kind="users", format=form)
    whole = files.rows()
    module = {"csv": csv_rows, "ndjson": json_rows}[form]
    made: list[Batch] = []

    def make(columns: tuple[str, ...]) -> Batch:
        made.append(Batch(columns))
        return made[-1]

    monkeypatch.setattr(module, "CHARS", 300)
    monkeypatch.setattr(module, "Batch", make)
    assert files.parse(body.encode(), kind="users", format=form).accepted == 200
    assert files.rows() == whole
    assert len(made) > 20


def test_seen_agrees_with_a_set_on_random_numbers() -> None:
    draw, seen, slow = random.Random(5), Seen(), set[int]()
    for _ in range(60):
        batch = [draw.randrange(400) for _ in range(draw.randrange(1, 40))]
        wanted = []
        for value in batch:
            wanted.append(value not in slow)
            slow.add(value)
        hashes = pl.Series(batch, dtype=pl.UInt64).to_numpy()
        assert seen.first(hashes).tolist() == wanted


@pytest.mark.parametrize("timezone", [None, "Europe/Berlin"])
def test_times_are_read_as_the_json_route_reads_them(timezone: str | None) -> None:
    numbers = ["0", "1700000000", "1700000000.5", "1700000000123", "-5", "1e11", "99999999999"]
    texts = [
        "2026-03-01T09:30:00Z",
        "2026-03-01 09:30:00.25+02:00",
        "2026-03-29T02:30:00",  # in Berlin this hour does not exist
        "2026-10-25T02:30:00",  # and this one comes twice
        "2026-01-01",
        "1500-01-01T00:00:00Z",
        "2300-01-01T00:00:00Z",
        "yesterday",
    ]
    wanted = [_as_json_route(float(n), timezone) for n in numbers]
    wanted += [_as_json_route(text, timezone) for text in texts]
    micros, codes = read_times(pl.Series(numbers + texts), zone(timezone) if timezone else None)
    moments = micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").to_list()
    assert list(zip(moments, codes.to_list(), strict=True)) == wanted


def _as_json_route(given: str | float, timezone: str | None) -> tuple[datetime | None, str | None]:
    try:
        return read_timestamp(given, timezone), None
    except InvalidError as error:
        return None, error.code


def test_future_times_are_taken_and_flagged(files: Files) -> None:
    outcome = files.parse(b"user_id,item_id,timestamp\nu,i,2200-01-01T00:00:00Z\nu,i,1\n")
    assert outcome.accepted == 2
    assert [(w["code"], w["rows"]) for w in outcome.warnings] == [("FUTURE_TIMESTAMP", 1)]


def test_splits_and_positions_are_read_in_one_spelling(files: Files) -> None:
    body = b"user_id,item_id,split,position\na,i,valid,3\nb,i,Train,\nc,i,dev,1\nd,i,,-1\n"
    outcome = files.parse(body)
    assert [(row[1], row[9], row[8]) for row in files.rows()] == [
        ("a", "val", "3"),
        ("b", "train", ""),
    ]
    assert [error["code"] for error in outcome.errors] == ["BAD_SPLIT", "BAD_POSITION"]


def test_attributes_nest_no_deeper_than_an_answer_can_write(files: Files) -> None:
    rows = b"".join(
        b'{"id":"%d","x":%s}\n' % (depth, b"[" * depth + b"]" * depth) for depth in (63, 64, 1000)
    )
    outcome = files.parse(rows, kind="users", format="ndjson")
    assert outcome.accepted == 1
    assert [(error["line"], error["code"]) for error in outcome.errors] == [
        (2, "TOO_DEEP"),
        (3, "TOO_DEEP"),
    ]


def test_other_columns_of_profiles_become_attributes(files: Files) -> None:
    files.parse(b"id,text,title,year\na,,Dune,1965\nb,x,,\n", kind="items")
    assert [(row[1], json.loads(row[3])) for row in files.rows()] == [
        ("a", {"title": "Dune", "year": "1965"}),
        ("b", {}),
    ]
    body = b'{"id":"a","year":1965,"attributes":{"tags":["x"]}}\n{"id":"b","attributes":3}\n'
    outcome = files.parse(body, kind="items", format="ndjson")
    assert [json.loads(row[3]) for row in files.rows()] == [{"year": 1965, "tags": ["x"]}]
    assert outcome.errors[0]["code"] == "WRONG_TYPE"


def test_foreign_headers_are_mapped_and_tabs_are_told_by_the_header(files: Files) -> None:
    body = b"user_id:token\titem_id:token\trating:float\n1\t7\t3.5\n"
    mapping = {"user_id": "user_id:token", "item_id": "item_id:token", "value": "rating:float"}
    assert files.parse(body, mapping=mapping).accepted == 1
    assert files.rows()[0][1:5] == ["1", "7", "", "3.5"]


@pytest.mark.parametrize(
    ("body", "how", "code"),
    [
        (b"", {}, "EMPTY_FILE"),
        (b"user_id,item_id\n", {}, "EMPTY_FILE"),
        (b"", {"format": "ndjson"}, "EMPTY_FILE"),
        (b"user_id,value\nu,1\n", {}, "MISSING_COLUMN"),
        (b"user_id,item_id,colour\nu,i,red\n", {}, "UNKNOWN_COLUMN"),
        (b'{"user_id":"u","item_id":"i","colour":"red"}\n', {"format": "ndjson"}, "UNKNOWN_COLUMN"),
        (b"user_id,item_id,item_id\nu,i,j\n", {}, "DOUBLE_COLUMN"),
        (b"user_id,item_id\nu,i\n", {"mapping": {"value": "stars"}}, "MISSING_COLUMN"),
        ("user_id,item_id\nu,i\n".encode("utf-16"), {}, "NOT_UTF8"),
        (b"\xe9,item_id\nu,i\n", {}, "NOT_UTF8"),
        (b"user_id,item_id\nu,i\nu,j\n", {"bounds": {"rows": 1}}, "TOO_LARGE"),
        (b"user_id,item_id\n" + b"u,i\n" * 99, {"bounds": {"unpacked_bytes": 100}}, "TOO_LARGE"),
    ],
)
def test_a_bad_file_is_refused_with_a_word(
    files: Files, body: bytes, how: dict[str, object], code: str
) -> None:
    failure = files.parse(body, **how).failure
    assert failure is not None
    assert failure["code"] == code


def test_unknown_columns_can_be_left_out(files: Files) -> None:
    body = b"user_id,item_id,colour\nu,i,red\n"
    assert files.parse(body, ignore_unknown=True).accepted == 1
    line = b'{"user_id":"u","item_id":"i","colour":"red"}\n'
    assert files.parse(line, format="ndjson", ignore_unknown=True).accepted == 1


def test_json_lines_are_told_apart(files: Files) -> None:
    body = (
        b'{"user_id":7,"item_id":"i","value":2.5,"timestamp":1700000000}\n\n'
        b'{"user_id":true,"item_id":"i"}\n{"user_id":7.5,"item_id":"i"}\n'
        b'{"user_id":"u","item_id":"i","value":NaN}\n["u","i"]\nu,i\n'
        b'{"user_id":"\\ud800","item_id":"i"}\n{"user_id":"u\\u0000","item_id":"i"}\n'
    )
    outcome = files.parse(body, format="ndjson")
    assert files.rows()[0][1:6] == ["7", "i", "", "2.5", "2023-11-14 22:13:20.000000+00"]
    assert [(error["line"], error["code"]) for error in outcome.errors] == [
        (3, "WRONG_TYPE"),
        (4, "WRONG_TYPE"),
        (5, "MALFORMED_JSON"),
        (6, "MALFORMED_JSON"),
        (7, "MALFORMED_JSON"),
        (8, "MALFORMED_JSON"),
        (9, "NUL"),
    ]


@given(
    lines=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30)),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_lines_do_not_depend_on_how_the_bytes_arrive(lines: list[str], cuts: list[int]) -> None:
    body = "".join(f"{line}\n" for line in ["head", *lines]).encode()
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    blocks = [body[a:b] for a, b in pairwise(edges) if a < b]
    read = Lines(blocks, limit=1000)
    assert [line[:-1] for line in read] == ["head", *lines]
    assert read.number == len(lines) + 1


@pytest.mark.parametrize("kind", KINDS)
def test_rows_have_the_columns_that_are_copied(files: Files, kind: str) -> None:
    required = ",".join(KINDS[kind].required)
    assert files.parse(f"{required}\n{required}\n".encode(), kind=kind).accepted == 1
    assert len(files.rows()[0]) == len(KINDS[kind].staged)
