"""Every format and packing through the running api and its worker, and files that only rehearse."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import zstandard

from tests.databases import Database, libpq
from tests.ingest.bytes_of import HEADER, parquet, wide_window
from tests.ingest.house import Shop
from tests.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("worker")]
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}
NDJSON = {"Content-Type": "application/x-ndjson"}
ROWS = b"user_id,item_id,value\nu1,i1,5\nu2,i1,2.5\nu1,i1,5\n"
OBJECTS = b"".join(
    b'{"user_id":"%s","item_id":"i1","value":%s}\n' % pair
    for pair in ((b"u1", b"5"), (b"u2", b"2.5"), (b"u1", b"5"))
)
TABLE = {"user_id": ["u1", "u2", "u1"], "item_id": ["i1"] * 3, "value": [5.0, 2.5, 5.0]}
SENT: dict[str, tuple[bytes, dict[str, str]]] = {
    "csv, zstd": (zstandard.compress(ROWS), {"Content-Encoding": "zstd"}),
    "ndjson, zstd": (zstandard.compress(OBJECTS), {"Content-Encoding": "zstd", **NDJSON}),
    "parquet, zstd": (parquet(TABLE, compression="zstd"), PARQUET),
}


@pytest.fixture
def uploads(place: Path) -> Iterator[Path]:
    """The folder of received files; nothing is left in it after the test."""
    folder = place / "spool" / "uploads"
    yield folder
    until(lambda: [*folder.glob("*")] == [], seconds=10)


@pytest.mark.parametrize("name", SENT)
def test_each_format_comes_in_alike(shop: Shop, uploads: Path, name: str) -> None:
    body, headers = SENT[name]
    assert uploads.name == "uploads"
    result = shop.bring_in(body, headers=headers)["result"]
    assert (result["accepted"], result["duplicates"], result["rejected"]) == (2, 1, 0)
    found = [(row["user_id"], row["item_id"], row["value"]) for row in shop.rows()]
    assert found == [("u1", "i1", 5.0), ("u2", "i1", 2.5)]


def test_rows_of_parquet_are_reported_by_their_number(shop: Shop) -> None:
    values = [1.0] * 400
    values[122] = float("inf")
    body = parquet({"user_id": list(range(400)), "item_id": ["i"] * 400, "value": values})
    job = shop.bring_in(body, headers=PARQUET)
    error = {
        "line": 123,
        "code": "BAD_NUMBER",
        "detail": "value is no finite number.",
        "sample": "122,i,inf",
    }
    assert (job["state"], job["result"]["errors"]) == ("succeeded", [error])
    assert job["result"]["accepted"] == 399
    report = shop.http.get(f"{shop.path}/imports/{job['id']}/errors").text
    assert [json.loads(line) for line in report.splitlines()] == [error]


def test_a_file_of_another_system_comes_in_by_its_mapping(shop: Shop) -> None:
    body = b"user_id:token\titem_id:token\trating:float\n1\t7\t3.5\n"
    assert shop.send(body).json()["detail"].endswith("pass mapping=recbole.")
    job = shop.bring_in(body, mapping="recbole")
    assert job["result"]["accepted"] == 1
    (listed,) = shop.http.get(f"{shop.path}/imports").json()["imports"]
    assert (listed["options"]["preset"], listed["options"]["validate_only"]) == ("recbole", False)
    assert shop.send(body, mapping="spotify").status_code == 422
    refused = shop.send(body, mapping="amazon_reviews", kind="users").json()
    assert refused["detail"] == "mapping=amazon_reviews knows no users, only interactions, items."
    assert refused["errors"][0]["pointer"] == "/query/mapping"


def test_odd_ids_are_found_again_through_the_routes(shop: Shop) -> None:
    ids = ["a/b", "%2F", "😀", "a..b", "a:b", "a b", "é", "100%", "a?b#c", "+", "u" * 256]
    body = "id,text\n" + "".join(f'"{ident}",text of {n}\n' for n, ident in enumerate(ids))
    assert shop.bring_in(body.encode(), kind="items")["result"]["accepted"] == len(ids)
    for number, ident in enumerate(ids):
        found = shop.http.get(f"{shop.path}/items/{quote(ident, safe='')}")
        assert found.status_code == 200, ident
        assert (found.json()["id"], found.json()["text"]) == (ident, f"text of {number}")


AT_ONCE: list[tuple[bytes, dict[str, str], dict[str, str], int, str, str]] = [
    (
        parquet({"user_id": ["u"], "stars": [5]}),
        PARQUET,
        {},
        422,
        "MISSING_COLUMN",
        "The column item_id is missing; the file has user_id, stars.",
    ),
    (
        parquet({f"c{n}": ["x"] for n in range(1_500)}),
        PARQUET,
        {"kind": "users"},
        422,
        "TOO_MANY_COLUMNS",
        "The file has 1,500 columns; at most 1,000 are read.",
    ),
    (
        parquet(TABLE)[:-100],
        PARQUET,
        {},
        400,
        "TRUNCATED",
        "The Parquet file is cut off: it does not end with its footer.",
    ),
    (
        parquet(TABLE),
        {},
        {},
        400,
        "LOOKS_LIKE_PARQUET",
        (
            "The file is Parquet: send it with Content-Type: application/vnd.apache.parquet, "
            "or pass format=parquet."
        ),
    ),
    (
        gzip.compress(parquet(TABLE)),
        {**PARQUET, "Content-Encoding": "gzip"},
        {},
        415,
        "UNSUPPORTED_MEDIA_TYPE",
        "Parquet is packed within: send it without Content-Encoding.",
    ),
    (
        zstandard.compress(ROWS),
        {"Content-Type": "application/zstd"},
        {},
        415,
        "UNSUPPORTED_MEDIA_TYPE",
        (
            "application/zstd says how the file is packed, not what is in it: send "
            "Content-Encoding: zstd and the Content-Type of what is within."
        ),
    ),
    (
        ROWS,
        {"Content-Type": "text/html"},
        {},
        415,
        "UNSUPPORTED_MEDIA_TYPE",
        (
            "Content-Type must be text/csv, application/x-ndjson or "
            "application/vnd.apache.parquet, or format=csv|ndjson|parquet given."
        ),
    ),
    (
        wide_window(ROWS * 10),
        {"Content-Encoding": "zstd"},
        {},
        413,
        "ZSTD_WINDOW",
        (
            "The zstd frame asks for a window of 2,048 MiB; at most 128 MiB are read: "
            "pack it without --long=31."
        ),
    ),
    (
        OBJECTS,
        {},
        {},
        400,
        "LOOKS_LIKE_NDJSON",
        (
            "The file looks like NDJSON, not CSV: send it with Content-Type: application/x-ndjson, "
            "or pass format=ndjson."
        ),
    ),
    (
        b",".join(b"c%d" % n for n in range(3_000)) + b"\n",
        {},
        {"kind": "items"},
        422,
        "TOO_MANY_COLUMNS",
        "The file has 3,000 columns; at most 1,000 are read.",
    ),
]


@pytest.mark.parametrize("case", AT_ONCE, ids=[case[4] for case in AT_ONCE])
def test_what_a_first_look_tells_is_answered_at_once(
    shop: Shop, uploads: Path, case: tuple[bytes, dict[str, str], dict[str, str], int, str, str]
) -> None:
    body, headers, query, status, code, detail = case
    answer = shop.send(body, headers=headers, **query)
    told = answer.json()
    assert (answer.status_code, told["code"], told["detail"]) == (status, code, detail)
    assert [*uploads.glob("*")] == []
    assert shop.http.get(f"{shop.path}/imports").json()["imports"] == []


REHEARSED: dict[str, tuple[bytes, dict[str, str], dict[str, str]]] = {
    "with bad lines": (
        b"user_id,item_id,timestamp\n" + b"".join(b"u%d,i,7000000000\n" % n for n in range(250))
        + b"u,i,tomorrow\n",
        {},
        {},
    ),
    "parquet": (parquet(TABLE), PARQUET, {}),
    "profiles": (b"id,text,genre\na,x,y\na,z,\n", {}, {"kind": "items"}),
    "too many bad lines": (HEADER + b"u,i\n" * 10 + b",i\n", {}, {}),
    "cut off late": (
        zstandard.compress(HEADER + b"".join(b"u%d,i\n" % n for n in range(300_000)))[:-40],
        {"Content-Encoding": "zstd"},
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REHEARSED)
def test_validate_only_says_what_an_import_would_and_does_nothing(
    shop: Shop, uploads: Path, name: str
) -> None:
    body, headers, query = REHEARSED[name]
    assert uploads.name == "uploads"
    before = shop.http.get(shop.path).json()
    rehearsed = shop.bring_in(body, headers=headers, validate_only="true", **query)
    assert rehearsed["result"].pop("validate_only") is True
    assert shop.http.get(shop.path).json() == before
    for noun in ("interactions", "users", "items"):
        assert shop.rows(noun) == []
    (listed,) = shop.http.get(f"{shop.path}/imports").json()["imports"]
    assert (listed["visible_at"], listed["options"]["validate_only"]) == (None, True)
    real = shop.bring_in(body, headers=headers, **query)
    assert real["result"].pop("validate_only") is False
    for field in ("state", "error", "result", "progress"):
        assert rehearsed[field] == real[field], field
    assert _report(shop, rehearsed) == _report(shop, real)


def _report(shop: Shop, job: dict[str, Any]) -> str:
    return shop.http.get(f"{shop.path}/imports/{job['id']}/errors").text


def test_validate_only_looks_known_ids_up_and_leaves_no_table(
    shop: Shop, database: Database
) -> None:
    shop.http.patch(shop.path, json={"settings": {"require_known_ids": True}})
    shop.bring_in(b"id\nu\n", kind="users")
    shop.bring_in(b"id\ni\n", kind="items")
    version = shop.http.get(shop.path).json()["version"]
    job = shop.bring_in(HEADER + b"u,i\nx,i\nu,y\n", validate_only="true")
    assert (job["state"], job["error"]) == (
        "failed",
        {
            "code": "UNKNOWN_ID",
            "detail": "2 rows name a user or an item that was not uploaded, the first in line 3.",
        },
    )
    job = shop.bring_in(HEADER + b"u,i\n", validate_only="true")
    assert (job["state"], job["result"]["accepted"]) == ("succeeded", 1)
    assert shop.rows() == []
    assert shop.http.get(shop.path).json()["version"] == version
    with psycopg.connect(libpq(database.admin_url)) as connection:
        left = "SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'"
        assert connection.execute(left).fetchone() == (0,)


def test_a_rehearsal_is_another_request_than_the_import(shop: Shop) -> None:
    once = {"Idempotency-Key": "the-same"}
    first = shop.send(ROWS, headers=once, validate_only="true")
    again = shop.send(ROWS, headers=once, validate_only="true")
    assert (first.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert shop.send(ROWS, headers=once).json()["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert shop.ended(first.json()["id"])["state"] == "succeeded"
