"""Uploads through the running api and its worker."""

import gzip

import pytest

from tests.ingest.house import Shop

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
