"""Bad input in files: each message as a person reads it, in full."""

import gzip
import struct
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard

from tests.ingest.bytes_of import HEADER, LONG, OBJECT, archive, bomb, parquet, wide_window
from tests.ingest.files import Files

NDJSON: dict[str, Any] = {"format": "ndjson"}
PARQUET: dict[str, Any] = {"format": "parquet"}
GZIP: dict[str, Any] = {"compression": "gzip"}
ZSTD: dict[str, Any] = {"compression": "zstd"}
ITEMS: dict[str, Any] = {"kind": "items"}
COLUMNS = (
    "Interactions have user_id, item_id, type, value, timestamp, event_id, text, position, split, "
    "recommendation_id."
)
PAIR = {"user_id": ["u"], "item_id": ["i"]}


class Bad(NamedTuple):
    """A file that is not taken, and what is said of it."""

    body: bytes
    code: str
    detail: str
    how: dict[str, Any] = {}  # noqa: RUF012 - nobody writes on it


FILES = {
    "unknown column": Bad(
        b"user_id,item_id,colour\nu,i,red\n",
        "UNKNOWN_COLUMN",
        f"Unknown: colour. {COLUMNS} Map a header with map.<column>=<header>, "
        "or pass ignore_unknown=true.",
    ),
    "unknown column, Parquet": Bad(
        parquet(PAIR | {"colour": ["red"]}),
        "UNKNOWN_COLUMN",
        f"Unknown: colour. {COLUMNS} Map a header with map.<column>=<header>, "
        "or pass ignore_unknown=true.",
        PARQUET,
    ),
    "missing column": Bad(
        b"user_id,value\nu,1\n",
        "MISSING_COLUMN",
        "The column item_id is missing; the file has user_id, value.",
    ),
    "missing column, Parquet": Bad(
        parquet({"user_id": ["u"], "item": ["i"]}),
        "MISSING_COLUMN",
        "The column item_id is missing; the file has user_id, item.",
        PARQUET,
    ),
    "mapped column that is not there": Bad(
        HEADER + b"u,i\n",
        "MISSING_COLUMN",
        "The column value (mapped to 'stars') is missing; the file has user_id, item_id.",
        {"mapping": {"value": "stars"}},
    ),
    "semicolons": Bad(
        b"user_id;item_id\nu;i\n",
        "MISSING_COLUMN",
        "The column user_id is missing; the file has user_id;item_id. Its header has semicolons: "
        "put commas or tabs between the columns.",
    ),
    "one name twice": Bad(
        b"user_id,item_id,item_id\nu,i,j\n",
        "DOUBLE_COLUMN",
        "More than one column is named item_id.",
    ),
    "MovieLens' u.data that begins with one number twice": Bad(
        b"1\t1\t5\t874965758\n1\t2\t3\t876893171\n",
        "DOUBLE_COLUMN",
        "More than one column is named 1. This looks like MovieLens' u.data: "
        "pass mapping=movielens.",
    ),
    "a column without a name": Bad(
        b"user_id,item_id,\nu,i,\n", "BAD_HEADER", "A column of the header has no name."
    ),
    "an unclosed quote in the header": Bad(
        b'user_id,"item_id\nu,i\n',
        "BAD_HEADER",
        "The header is no CSV: a quote is opened and never closed.",
    ),
    "empty file": Bad(b"", "EMPTY_FILE", "The file is empty: it has no header."),
    "empty file, NDJSON": Bad(b"", "EMPTY_FILE", "The file is empty.", NDJSON),
    "empty file, Parquet": Bad(b"", "EMPTY_FILE", "The file is empty.", PARQUET),
    "header only": Bad(HEADER, "EMPTY_FILE", "The file has no rows."),
    "footer only, Parquet": Bad(
        parquet({"user_id": [], "item_id": []}), "EMPTY_FILE", "The file has no rows.", PARQUET
    ),
    "CSV as NDJSON": Bad(
        HEADER,
        "LOOKS_LIKE_CSV",
        "The file looks like CSV, not NDJSON: send it with Content-Type: text/csv, "
        "or pass format=csv.",
        NDJSON,
    ),
    "NDJSON as CSV": Bad(
        OBJECT,
        "LOOKS_LIKE_NDJSON",
        "The file looks like NDJSON, not CSV: send it with Content-Type: application/x-ndjson, "
        "or pass format=ndjson.",
    ),
    "JSON array": Bad(
        b"[" + OBJECT.strip() + b"]",
        "JSON_ARRAY",
        "The file is one JSON array; NDJSON has one object a line (jq -c '.[]' makes it so).",
        NDJSON,
    ),
    "indented JSON": Bad(
        b'{\n  "user_id": "u"\n}\n',
        "MALFORMED_JSON",
        "The first object goes over several lines; NDJSON has one object a line "
        "(jq -c . makes it so).",
        NDJSON,
    ),
    "Python dicts": Bad(
        b"{'id': 'a'}\n",
        "MALFORMED_JSON",
        "The first line is a Python dict, not JSON: write each line with json.dumps.",
        NDJSON | ITEMS,
    ),
    "Parquet as CSV": Bad(
        parquet(PAIR),
        "LOOKS_LIKE_PARQUET",
        "The file is Parquet: send it with Content-Type: application/vnd.apache.parquet, "
        "or pass format=parquet.",
    ),
    "CSV as Parquet": Bad(
        HEADER,
        "BAD_PARQUET",
        "The file is no Parquet. It looks like CSV: pass format=csv.",
        PARQUET,
    ),
    "gzip as Parquet": Bad(
        gzip.compress(parquet(PAIR)),
        "BAD_PARQUET",
        "The file is gzip, not Parquet: unpack it; Parquet is packed within.",
        PARQUET,
    ),
    "workbook": Bad(
        archive("[Content_Types].xml", "xl/workbook.xml"),
        "LOOKS_LIKE_ZIP",
        "The file is an Excel workbook (.xlsx): save the sheet as CSV.",
    ),
    "zip": Bad(
        archive("log.csv"),
        "LOOKS_LIKE_ZIP",
        "The file is a zip archive: send what is in it, one upload a file.",
        NDJSON,
    ),
    "bzip2": Bad(b"BZh91AY", "NOT_TEXT", "The file is packed with bzip2; gzip and zstd are read."),
    "page of an error": Bad(
        b"<!DOCTYPE html>\n<h1>403</h1>\n",
        "LOOKS_LIKE_HTML",
        "The file looks like HTML or XML: is it the page of an error that was saved?",
    ),
    "gzip that is not called so": Bad(
        gzip.compress(HEADER),
        "LOOKS_LIKE_GZIP",
        "The file looks like gzip: send it with Content-Encoding: gzip.",
    ),
    "zstd that is not called so": Bad(
        zstandard.compress(OBJECT),
        "LOOKS_LIKE_ZSTD",
        "The file looks like zstd: send it with Content-Encoding: zstd.",
        NDJSON,
    ),
    "called gzip and is not": Bad(
        HEADER, "BAD_GZIP", "Content-Encoding says gzip, but the file is no gzip.", GZIP
    ),
    "called zstd and is not": Bad(
        HEADER, "BAD_ZSTD", "Content-Encoding says zstd, but the file is no zstd.", ZSTD
    ),
    "packed twice": Bad(
        gzip.compress(gzip.compress(HEADER)),
        "LOOKS_LIKE_GZIP",
        "Unpacked, the file is gzip again: pack it once.",
        GZIP,
    ),
    "cut-off gzip": Bad(gzip.compress(LONG)[:-9], "TRUNCATED", "The gzip stream is cut off.", GZIP),
    "cut-off zstd": Bad(
        zstandard.compress(LONG)[:-9], "TRUNCATED", "The zstd stream is cut off.", ZSTD
    ),
    "zstd cut off in its header": Bad(
        zstandard.compress(LONG)[:6], "TRUNCATED", "The zstd stream is cut off.", ZSTD
    ),
    "cut-off Parquet": Bad(
        parquet(PAIR)[:-20],
        "TRUNCATED",
        "The Parquet file is cut off: it does not end with its footer.",
        PARQUET,
    ),
    "damaged gzip": Bad(
        gzip.compress(LONG)[:-8] + b"\0" * 8, "BAD_GZIP", "The gzip stream is damaged.", GZIP
    ),
    "damaged zstd": Bad(
        zstandard.ZstdCompressor(write_checksum=True).compress(LONG)[:-4] + b"\0" * 4,
        "BAD_ZSTD",
        "The zstd stream is damaged.",
        ZSTD,
    ),
    "damaged footer": Bad(
        parquet(PAIR)[:-60] + b"\x7f" * 52 + parquet(PAIR)[-8:],
        "BAD_PARQUET",
        "The footer of the Parquet file is damaged.",
        PARQUET,
    ),
    "footer of another length": Bad(
        parquet(PAIR)[:-8] + struct.pack("<i", 2**31 - 1) + b"PAR1",
        "BAD_PARQUET",
        "The footer of the Parquet file is damaged.",
        PARQUET,
    ),
    "encrypted Parquet": Bad(
        parquet(PAIR)[:-4] + b"PARE", "BAD_PARQUET", "The Parquet file is encrypted.", PARQUET
    ),
    "gzip bomb": Bad(
        bomb("gzip"),
        "UNPACK_RATIO",
        "The file unpacks to more than 200 times its size.",
        GZIP | {"bounds": {"unpacked_bytes": 10**9, "rows": 10**7}},
    ),
    "zstd bomb": Bad(
        bomb("zstd"), "UNPACK_RATIO", "The file unpacks to more than 200 times its size.", ZSTD
    ),
    "Parquet bomb": Bad(
        parquet({"user_id": ["u" * 200] * 400_000, "item_id": ["i"] * 400_000}),
        "UNPACK_RATIO",
        "The file unpacks to more than 200 times its size.",
        PARQUET,
    ),
    "zstd with a window of 2 GiB": Bad(
        wide_window(LONG),
        "ZSTD_WINDOW",
        "The zstd frame asks for a window of 2,048 MiB; at most 128 MiB are read: "
        "pack it without --long=31.",
        ZSTD,
    ),
    "UTF-16": Bad(
        LONG.decode().encode("utf-16"), "NOT_UTF8", "The file is UTF-16 or UTF-32; send UTF-8."
    ),
    "UTF-16 without a mark": Bad(
        LONG.decode().encode("utf-16-le"), "NOT_UTF8", "The file is UTF-16 or UTF-32; send UTF-8."
    ),
    "Latin-1 header": Bad(
        "user_id,item_id,größe\n".encode("latin-1"), "NOT_UTF8", "The header is no UTF-8."
    ),
    "a million columns": Bad(
        b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n",
        "ROW_TOO_LONG",
        "The header is over 20,000 bytes.",
    ),
    "more columns than are read": Bad(
        b",".join(b"c%d" % n for n in range(3_000)) + b"\n",
        "TOO_MANY_COLUMNS",
        "The file has 3,000 columns; at most 1,000 are read.",
        ITEMS,
    ),
    "more columns than are read, Parquet": Bad(
        parquet({f"c{n}": ["x"] for n in range(1_500)}),
        "TOO_MANY_COLUMNS",
        "The file has 1,500 columns; at most 1,000 are read.",
        PARQUET | ITEMS,
    ),
    "more rows than are taken": Bad(
        HEADER + b"u,i\nu,j\n",
        "TOO_LARGE",
        "The file has more than 1 rows.",
        {"bounds": {"rows": 1}},
    ),
    "more rows than are taken, Parquet": Bad(
        parquet({"user_id": ["u", "u"], "item_id": ["i", "j"]}),
        "TOO_LARGE",
        "The file has more than 1 rows.",
        PARQUET | {"bounds": {"rows": 1}},
    ),
    "too many bad lines": Bad(
        HEADER + b"u,i\n" * 97 + b",i\n" * 3,
        "TOO_MANY_REJECTED",
        "3 of 100 rows are bad; at most 1.00% of them may be.",
        {"max_rejected": 0.01},
    ),
    "ids with gaps, as pandas writes them": Bad(
        parquet({"user_id": [1.0, None], "item_id": ["i", "j"]}),
        "WRONG_TYPE",
        "user_id is a column of double; an id is a string or an integer. Where an id is missing "
        "pandas makes floats of integers: drop those rows, or write the column as Int64 or as "
        "strings.",
        PARQUET,
    ),
    "ids as bytes": Bad(
        parquet({"user_id": [b"u"], "item_id": ["i"]}),
        "WRONG_TYPE",
        "user_id is a column of binary; strings or integers are wanted: write the column as "
        "UTF-8 strings.",
        PARQUET,
    ),
    "values as booleans": Bad(
        parquet(PAIR | {"value": [True]}),
        "WRONG_TYPE",
        "value is a column of bool; numbers are wanted.",
        PARQUET,
    ),
    "values as lists": Bad(
        parquet(PAIR | {"value": [[1]]}),
        "WRONG_TYPE",
        "value is a column of list<element: int64>; numbers are wanted.",
        PARQUET,
    ),
    "times as booleans": Bad(
        parquet(PAIR | {"timestamp": [True]}),
        "WRONG_TYPE",
        "timestamp is a column of bool; timestamps, dates, RFC 3339 strings or Unix times are "
        "wanted.",
        PARQUET,
    ),
    "pictures as attributes": Bad(
        parquet({"id": ["a"], "cover": [b"\xff\xd8"]}),
        "WRONG_TYPE",
        "cover is a column of binary; an attribute is a text, a number, a boolean, a time, or a "
        "list, map or struct of these.",
        PARQUET | ITEMS,
    ),
}

LINES: dict[str, tuple[bytes, dict[str, Any], list[tuple[int, str, str]]]] = {
    "times": (
        (b"user_id,item_id,timestamp\nu,i,2026-13-01\nu,j,2026-01-01T00:00:00\nu,k,yesterday\n"
        b"u,l,1700000000000000000\n"),
        {},
        [
            (line, "BAD_TIMESTAMP", ("timestamp is no RFC 3339 time and no Unix time between 1678 "
             "and 2261.")) if line != 3 else
            (3, "NAIVE_TIMESTAMP", "timestamp has no offset and the dataset names no timezone.")
            for line in (2, 3, 4, 5)
        ],
    ),
    "ids": (
        HEADER + b"u" * 10_000 + b",i\n,i\nu,\nu\0v,i\n",
        {},
        [
            (2, "ID_TOO_LONG", "user_id is over 256 bytes."),
            (3, "MISSING", "user_id is missing."),
            (4, "MISSING", "item_id is missing."),
            (5, "NUL", "user_id may not hold the character U+0000."),
        ],
    ),
    "ragged rows": (
        HEADER + b"u\nu,i,x\n",
        {},
        [
            (2, "FIELD_COUNT", "The row has 1 field where the header has 2."),
            (3, "FIELD_COUNT", "The row has 3 fields where the header has 2."),
        ],
    ),
    "an unclosed quote": (
        HEADER + b'u,i\n"v,i\nw,i\n',
        {},
        [(3, "MALFORMED_CSV", "These 2 lines are no CSV row: a quote is opened and never closed.")],
    ),
    "text after a quote": (
        HEADER + b'"u"x,i\n',
        {},
        [(2, "MALFORMED_CSV", ("The line is no CSV row: text follows a closing quote; a quote "
          "within a field is written twice."))],
    ),
    "a quote that swallows much": (
        HEADER + b'"u,i\n' + b"v,i\n" * 6_000,
        {},
        [(2, "ROW_TOO_LONG", ("These 5,001 lines are no CSV row: a field is over the limit of a "
          "row, as after a quote that is never closed."))],
    ),
    "a long line": (
        HEADER + b"u,i\n" + b"v" * 30_000 + b",i\n",
        {},
        [(3, "ROW_TOO_LONG", "The line is over 20,000 bytes.")],
    ),
    "Latin-1": (HEADER + b"M\xfcller,i\n", {}, [(2, "NOT_UTF8", "The line is no UTF-8.")]),
    "numbers that are none": (
        (b"user_id,item_id,value,position\nu,a,NaN,\nu,b,-Infinity,\nu,c,1e999,\nu,d,five,\n"
        b"u,e,1,1.5\nu,f,1,-1\n"),
        {},
        [
            *((line, "BAD_NUMBER", "value is no finite number.") for line in (2, 3, 4, 5)),
            *((line, "BAD_POSITION", "position is no whole number from 0.") for line in (6, 7)),
        ],
    ),
    "numbers that are none, Parquet": (
        parquet({"user_id": ["u", "v"], "item_id": ["i", "i"], "value": [float("nan"), 1e308]}),
        PARQUET,
        [(1, "BAD_NUMBER", "value is no finite number.")],
    ),
    "JSON": (
        (b'{"user_id":"u","item_id":"i","value":NaN}\n{"user_id":"u","item_id":"i","value":true}\n'
        b'{"user_id":1.5,"item_id":"i"}\n{"user_id":"u","item_id":["i"]}\n{"user_id":"u"\n7\n'
        b'{"user_id":"u","item_id":"i","colour":"red"}\n'),
        NDJSON,
        [
            (1, "MALFORMED_JSON", ("The line is no JSON: unexpected character, expected a JSON "
             "value. JSON has no NaN and no Infinity; null stands for no value.")),
            (2, "WRONG_TYPE", "value is a boolean, not a number or a string."),
            (3, "WRONG_TYPE", "user_id is a fraction, not a string or an integer."),
            (4, "WRONG_TYPE", "item_id is a list, not a string or an integer."),
            (5, "MALFORMED_JSON", "The line is no JSON: unexpected end of data."),
            (6, "MALFORMED_JSON", "The line is no JSON object."),
            (7, "UNKNOWN_COLUMN", (f"Unknown: colour. {COLUMNS} Map a header with "
             "map.<column>=<header>, or pass ignore_unknown=true.")),
        ],
    ),
    "deep JSON": (
        b'{"id":"a","x":' + b"[" * 70 + b"]" * 70 + b'}\n{"id":"b","x":' + b"[" * 5_000
        + b"]" * 5_000 + b"}\n",
        NDJSON | ITEMS,
        [
            (1, "TOO_DEEP", "attributes nest deeper than 64."),
            (2, "MALFORMED_JSON", "The line is no JSON: depth limit exceeded."),
        ],
    ),
    "a split of one's own": (
        b"user_id,item_id,split\nu,i,dev\n",
        {},
        [(2, "BAD_SPLIT", "split is none of train, val, test.")],
    ),
    "profiles in Parquet": (
        parquet({"id": ["a", "", "c"], "text": ["", "x", "y" * 1001], "n": ["a\0", "b", "c"]}),
        PARQUET | ITEMS,
        [
            (1, "NUL", "attributes may not hold the character U+0000."),
            (2, "MISSING", "id is missing."),
            (3, "TEXT_TOO_LONG", "text is over 1,000 characters."),
        ],
    ),
}  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_brings_nothing_in_and_is_told_in_a_sentence(files: Files, name: str) -> None:
    bad = FILES[name]
    outcome = files.parse(bad.body, **bad.how)
    assert outcome.failure == {"code": bad.code, "detail": bad.detail}


@pytest.mark.parametrize("name", LINES)
def test_a_bad_line_is_told_in_a_sentence(files: Files, name: str) -> None:
    body, how, wanted = LINES[name]
    outcome = files.parse(body, **how)
    assert outcome.failure is None
    assert [(error["line"], error["code"], error["detail"]) for error in outcome.errors] == wanted
    assert all(f'"line":{line},' in files.report() for line, _, _ in wanted)


GOOD = {
    "a byte order mark and CRLF": ("\ufeffuser_id,item_id\r\nu,i\r\n".encode(), {}, [("u", "i")]),
    "formulas": (HEADER + b'=1+1,"@SUM(A1:A2)"\n', {}, [("=1+1", "@SUM(A1:A2)")]),
    "odd ids": (
        HEADER + "a/b,%2F\n😀,a:b\n..,é\n".encode(),
        {},
        [("a/b", "%2F"), ("😀", "a:b"), ("..", "é")],
    ),
    "numbers as ids": (
        b'{"user_id":7,"item_id":12345678901234567890}\n',
        NDJSON,
        [("7", "12345678901234567890")],
    ),
    "numbers as ids, Parquet": (
        parquet({"user_id": [7], "item_id": [2**53 + 1]}),
        PARQUET,
        [("7", "9007199254740993")],
    ),
    "zstd in two frames": (
        zstandard.compress(HEADER + b"u,i\n") + zstandard.compress(b"v,i\n"),
        ZSTD,
        [("u", "i"), ("v", "i")],
    ),
    "zstd in a frame a line": (
        zstandard.compress(HEADER)
        + b"".join(zstandard.compress(b"u%d,i\n" % n) for n in range(3_000)),
        ZSTD,
        [(f"u{n}", "i") for n in range(3_000)],
    ),
    "zstd with a frame to be skipped": (
        struct.pack("<II", 0x184D2A50, 3) + b"abc" + zstandard.compress(HEADER + b"u,i\n"),
        ZSTD,
        [("u", "i")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_only_looks_odd_is_taken_as_it_is(files: Files, name: str) -> None:
    body, how, wanted = GOOD[name]
    outcome = files.parse(body, **how)
    assert (outcome.failure, outcome.rejected) == (None, 0)
    assert [(row[1], row[2]) for row in files.rows()] == wanted


def test_of_mixed_lines_the_good_ones_are_kept_and_doubles_counted(files: Files) -> None:
    good = b"".join(b"u%d,i\n" % n for n in range(300))
    outcome = files.parse(HEADER + good + b"u1,i\nu1,i\n,i\n", max_rejected=0.01)
    counts = (outcome.accepted, outcome.duplicates, outcome.rejected, outcome.failure)
    assert counts == (300, 2, 1, None)


def test_a_time_to_come_is_a_warning(files: Files) -> None:
    outcome = files.parse(b"user_id,item_id,timestamp\nu,i,2200-01-01T00:00:00Z\n")
    detail = "Accepted, but their timestamp lies in the future."
    assert outcome.warnings == [{"code": "FUTURE_TIMESTAMP", "detail": detail, "rows": 1}]
    assert outcome.accepted == 1


def test_a_file_past_saving_is_not_read_to_its_end(files: Files) -> None:
    body = HEADER + b",i\n" * 60_000 + b"u,i\n" * 400_000
    failure = files.parse(body, max_rejected=0.01, bounds={"rows": 1_000_000}).failure
    assert failure == {
        "code": "TOO_MANY_REJECTED",
        "detail": "50,000 rows are bad so far: more than 1.00% of the 1,000,000 that a file may "
        "have.",
    }
