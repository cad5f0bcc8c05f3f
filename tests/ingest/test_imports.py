"""Uploads through the running api and its worker."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ingest.house import Shop
from tests.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("worker")]


def test_a_csv_comes_in_with_its_counts(shop: Shop) -> None:
    job = shop.bring_in(
        b"user_id,item_id,value,timestamp,text\n"
        b"u1,b/1,5,1700000000,good\n"
        b"u2,b/1,2.5,2026-01-01T10:00:00+02:00,\n"
        b"u1,b/1,4,1700000000,again\n"
    )
    assert job["state"] == "succeeded", job
    assert job["result"] == {
        "accepted": 2,
        "duplicates": 1,
        "rejected": 0,
        "errors": [],
        "warnings": [],
        "validate_only": False,
    }
    assert [
        (row["user_id"], row["item_id"], row["value"], row["timestamp"], row["text"])
        for row in shop.rows()
    ] == [
        ("u1", "b/1", 5.0, "2023-11-14T22:13:20Z", "good"),
        ("u2", "b/1", 2.5, "2026-01-01T08:00:00Z", None),
    ]


def test_ndjson_comes_in(shop: Shop) -> None:
    body = b'{"user_id": 1, "item_id": "i", "split": "val", "position": 3}\n'
    job = shop.bring_in(body, headers={"Content-Type": "application/x-ndjson"})
    assert job["result"]["accepted"] == 1, job
    (row,) = shop.rows()
    assert (row["user_id"], row["split"], row["position"]) == ("1", "val", 3)


def test_gzip_comes_in(shop: Shop) -> None:
    body = gzip.compress(b"id,text,genre\na,A book,drama\nb,,\n")
    job = shop.bring_in(body, headers={"Content-Encoding": "gzip"}, kind="items")
    assert job["result"]["accepted"] == 2, job
    assert [(r["id"], r["text"], r["attributes"]) for r in shop.rows("items")] == [
        ("a", "A book", {"genre": "drama"}),
        ("b", None, {}),
    ]


def test_bad_lines_are_reported_and_the_rest_is_visible(shop: Shop) -> None:
    good = b"".join(b"u%d,i,\n" % n for n in range(200))
    job = shop.bring_in(b"user_id,item_id,value\n" + good + b"u,i,many\n" + b"ok,j,1\n")
    assert job["state"] == "succeeded"
    assert job["progress"]["total"] == 202
    (error,) = job["result"]["errors"]
    assert error == {
        "line": 202,
        "code": "BAD_NUMBER",
        "detail": "value is no finite number.",
        "sample": "u,i,many",
    }
    assert len(shop.rows()) == 201
    report = shop.http.get(f"{shop.path}/imports/{job['id']}/errors")
    assert report.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in report.text.splitlines()] == [error]


def test_over_one_percent_of_bad_lines_nothing_comes_in_and_all_are_reported(shop: Shop) -> None:
    good = b"".join(b"u%d,i\n" % n for n in range(2000))
    job = shop.bring_in(b"user_id,item_id\n" + good + b",i\n" * 150)
    assert (job["state"], job["error"]["code"]) == ("failed", "TOO_MANY_REJECTED")
    assert (job["result"]["accepted"], job["result"]["rejected"]) == (0, 150)
    assert len(job["result"]["errors"]) == 100
    assert shop.rows() == []
    report = shop.http.get(f"{shop.path}/imports/{job['id']}/errors").text
    assert [json.loads(line)["line"] for line in report.splitlines()] == [*range(2002, 2152)]


def test_a_file_that_is_cut_off_late_brings_nothing_in(shop: Shop) -> None:
    rows = b"".join(b"u%d,i%d\n" % (n, n * 7919 % 10007) for n in range(150_000))
    body = gzip.compress(b"user_id,item_id\n" + rows, compresslevel=1)
    job = shop.bring_in(body[:-100], headers={"Content-Encoding": "gzip"})
    assert (job["state"], job["error"]["code"]) == ("failed", "TRUNCATED")
    assert shop.rows() == []


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "EMPTY_FILE"),
        (b"user_id,rating\nu,1\n", {}, 422, "MISSING_COLUMN"),
        (b"user_id,item_id,rating\nu,i,1\n", {}, 422, "UNKNOWN_COLUMN"),
        (b"user_id,item_id\n", {"Content-Type": "text/html"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"user_id,item_id\n", {"Content-Encoding": "br"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"user_id,item_id\n", {"Content-Encoding": "zstd"}, 400, "BAD_ZSTD"),
        (b"user_id,item_id\n", {"Content-Encoding": "gzip"}, 400, "BAD_GZIP"),
        (b"user_id,item_id\nu" + b"u" * 50_000_000, {}, 413, "TOO_LARGE"),
    ],
)
def test_what_a_first_look_tells_is_refused_at_once(
    shop: Shop, place: Path, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = shop.send(body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert [path for path in (place / "spool" / "uploads").glob("*") if path.is_file()] == []
    assert shop.http.get(f"{shop.path}/imports").json()["imports"] == []


def test_an_upload_without_a_length_is_bounded_too(shop: Shop) -> None:
    def endless() -> Iterator[bytes]:
        yield b"user_id,item_id\n"
        for _ in range(60):
            yield b"u,i\n" * 250_000

    answer = shop.http.post(
        f"{shop.path}/imports",
        params={"kind": "interactions"},
        content=endless(),
        headers={"Content-Type": "text/csv"},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")


def test_headers_are_mapped_and_unknown_parameters_refused(shop: Shop) -> None:
    body = b"uid,movieId,rating\n1,7,3.5\n"
    named = {"map.user_id": "uid", "map.item_id": "movieId", "map.value": "rating"}
    assert shop.bring_in(body, **named)["result"]["accepted"] == 1
    assert shop.send(body, **{"map.colour": "uid"}).json()["code"] == "UNKNOWN_COLUMN"
    assert shop.send(body, colour="uid").json()["code"] == "UNKNOWN_PARAMETER"
    assert shop.send(body, kind="reviews").status_code == 422


def test_a_repeated_upload_is_answered_and_not_repeated(shop: Shop) -> None:
    body, key = b"user_id,item_id\nu,i\n", {"Idempotency-Key": "once"}
    first, second = shop.send(body, headers=key), shop.send(body, headers=key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert first.json()["id"] == second.json()["id"]
    assert first.headers["Location"] == f"/v1/jobs/{first.json()['id']}"
    other = shop.send(body + b"v,i\n", headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert shop.ended(first.json()["id"])["state"] == "succeeded"
    assert len(shop.http.get(f"{shop.path}/imports").json()["imports"]) == 1


def test_a_later_profile_replaces_an_earlier_one(shop: Shop) -> None:
    shop.bring_in(b"id,text,genre\na,one,x\nb,two,x\n", kind="users")
    job = shop.bring_in(b"id,text\na,three\na,four\n", kind="users")
    assert (job["result"]["accepted"], job["result"]["duplicates"]) == (1, 1)
    assert [(row["id"], row["text"]) for row in shop.rows("users")] == [("a", "four"), ("b", "two")]


def test_texts_come_through_as_they_were_sent(shop: Shop) -> None:
    text = 'He said: "no",\r\nthen \\. and \\N\n\\.\ntab\tand 😀'
    quoted = text.replace('"', '""')
    job = shop.bring_in(f'id,text\r\n😀/ü,"{quoted}"\r\n'.encode(), kind="items")
    assert job["result"]["accepted"] == 1
    (row,) = shop.rows("items")
    assert (row["id"], row["text"]) == ("😀/ü", text)


def test_where_ids_must_be_known_a_file_with_another_brings_nothing_in(shop: Shop) -> None:
    shop.http.patch(shop.path, json={"settings": {"require_known_ids": True}})
    shop.bring_in(b"id\nu\n", kind="users")
    shop.bring_in(b"id\ni\n", kind="items")
    job = shop.bring_in(b"user_id,item_id\nu,i\nx,i\nu,y\n")
    assert (job["state"], job["error"]) == (
        "failed",
        {
            "code": "UNKNOWN_ID",
            "detail": "2 rows name a user or an item that was not uploaded, the first in line 3.",
        },
    )
    assert shop.rows() == []
    assert shop.bring_in(b"user_id,item_id\nu,i\n")["result"]["accepted"] == 1


def test_naive_times_take_the_datasets_zone(shop: Shop) -> None:
    shop.http.patch(shop.path, json={"settings": {"timezone": "Europe/Berlin"}})
    shop.bring_in(b"user_id,item_id,timestamp\nu,i,2026-07-01T12:00:00\n")
    assert shop.rows()[0]["timestamp"] == "2026-07-01T10:00:00Z"


def test_nothing_is_left_in_the_spool_and_the_version_grew(shop: Shop, place: Path) -> None:
    shop.bring_in(b"user_id,item_id\nu,i\n")
    assert shop.http.get(shop.path).json()["version"] == 1
    until(lambda: [*(place / "spool" / "uploads").glob("*")] == [], seconds=5)
