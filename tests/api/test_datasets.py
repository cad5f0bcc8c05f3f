"""Datasets, profiles and interactions: what is written comes back, once, and bumps the version."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from services.shared.db.session import unit_of_work
from tests.api.conftest import Tenant
from tests.api.rows import add_run

pytestmark = pytest.mark.stack


@pytest.fixture
def client(tenant: Tenant) -> Iterator[httpx.Client]:
    """A writer of this file's project."""
    with tenant.client("write") as client:
        yield client


def _version(client: httpx.Client, dataset: str) -> int:
    return int(client.get(f"/v1/datasets/{dataset}").json()["version"])


def test_a_dataset_has_every_setting_and_begins_at_version_0(client: httpx.Client) -> None:
    body = {"name": "books", "settings": {"positive": "value>=4", "split": {"seed": 7}}}
    answer = client.post("/v1/datasets", json=body)
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/datasets/{made['id']}"
    serving = {"current_model_id", "current_graph"}
    assert set(made) == {"id", "name", "settings", "version", "created_at"} | serving
    assert made["version"] == 0
    assert made["current_model_id"] is None
    assert made["settings"]["positive"] == "value>=4"
    assert made["settings"]["split"] == {"kind": "random", "seed": 7, "val": 0.1, "test": 0.2}
    assert client.get(answer.headers["location"]).json() == made
    assert client.post("/v1/datasets", json=body).status_code == 409


def test_settings_change_one_by_one_and_only_a_real_change_is_a_version(
    tenant: Tenant, client: httpx.Client
) -> None:
    dataset = tenant.dataset("changing", min_user_degree=2)
    path = f"/v1/datasets/{dataset}"
    changed = client.patch(path, json={"settings": {"min_item_degree": 3}}).json()
    assert (changed["settings"]["min_user_degree"], changed["settings"]["min_item_degree"]) == (
        2,
        3,
    )
    assert changed["version"] == 1
    assert client.patch(path, json={"settings": {"min_item_degree": 3}}).json()["version"] == 1
    assert client.patch(path, json={"name": "renamed"}).json()["name"] == "renamed"
    wrong = client.patch(path, json={"settings": {"min_item_degree": 0}})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "/settings/min_item_degree"
    assert client.patch(path, json={"settings": {"no_such": 1}}).status_code == 422


def test_a_deleted_dataset_is_gone_at_once_with_its_jobs_stopped_and_a_purge_sent(
    tenant: Tenant, client: httpx.Client
) -> None:
    dataset = tenant.dataset("doomed")
    run = add_run(tenant.id, UUID(dataset))
    assert client.delete(f"/v1/datasets/{dataset}").status_code == 204
    assert client.get(f"/v1/datasets/{dataset}").status_code == 404
    assert client.get(f"/v1/datasets/{dataset}/users").status_code == 404
    assert client.get(f"/v1/datasets/{dataset}/recommendations/u").status_code == 404
    assert dataset not in client.get("/v1/datasets").text
    assert client.get(f"/v1/jobs/{run}").json()["state"] == "cancelled"
    assert client.delete(f"/v1/datasets/{dataset}").status_code == 404
    assert tenant.dataset("doomed") != dataset  # the name is free again


@pytest.mark.parametrize("noun", ["users", "items"])
def test_an_upsert_replaces_and_counts_what_differs(
    tenant: Tenant, client: httpx.Client, noun: str
) -> None:
    dataset = tenant.dataset(f"profiles of {noun}")
    path = f"/v1/datasets/{dataset}/{noun}"
    first = [{"id": "1", "text": "one", "title": "T"}, {"id": "2", "text": "two"}]
    assert client.put(path, json={noun: first}).json() == {
        "received": 2,
        "changed": 2,
        "version": 1,
    }
    assert client.put(path, json={noun: first}).json() == {
        "received": 2,
        "changed": 0,
        "version": 1,
    }
    second = [{"id": "1", "text": "eins"}, {"id": "1", "text": "uno"}, {"id": "2", "text": "two"}]
    assert client.put(path, json={noun: second}).json() == {
        "received": 3,
        "changed": 1,
        "version": 2,
    }
    one = client.get(f"{path}/1").json()
    assert (one["text"], one["attributes"]) == ("uno", {})
    assert set(one) == {"id", "text", "attributes", "updated_at"}


def test_a_profile_is_changed_in_part(tenant: Tenant, client: httpx.Client) -> None:
    dataset = tenant.dataset("parts")
    path = f"/v1/datasets/{dataset}/users"
    client.put(path, json={"users": [{"id": "u", "text": "t", "country": "IS", "age": 40}]})
    changed = client.patch(f"{path}/u", json={"attributes": {"age": None, "lang": "is"}}).json()
    assert changed["attributes"] == {"country": "IS", "lang": "is"}
    assert changed["text"] == "t"
    assert client.patch(f"{path}/u", json={"text": None}).json()["text"] is None
    assert _version(client, dataset) == 3
    assert client.patch(f"{path}/u", json={"text": None}).status_code == 200
    assert _version(client, dataset) == 3
    assert client.delete(f"{path}/u").status_code == 204
    assert _version(client, dataset) == 4


def test_the_hash_of_a_text_is_that_of_its_bytes(tenant: Tenant, client: httpx.Client) -> None:
    dataset = tenant.dataset("hashes")
    client.put(f"/v1/datasets/{dataset}/items", json={"items": [{"id": "i", "text": "Übung"}]})
    with unit_of_work(tenant.id) as session:
        same = session.scalar(
            text(
                "SELECT text_sha256 = sha256(convert_to('Übung', 'UTF8')) FROM items"
                " WHERE dataset_id = :dataset"
            ),
            {"dataset": dataset},
        )
    assert same is True


def test_over_the_limits_nothing_is_written(tenant: Tenant, client: httpx.Client) -> None:
    dataset = tenant.dataset("limits")
    path = f"/v1/datasets/{dataset}/users"
    many = {"users": [{"id": str(n)} for n in range(1001)]}
    assert client.put(path, json=many).status_code == 413
    long = client.put(path, json={"users": [{"id": "a"}, {"id": "b", "text": "x" * 1001}]})
    assert long.status_code == 422
    assert long.json()["errors"][0]["pointer"] == "/users/1/text"
    assert client.get(path).json() == {"users": [], "next_page_token": None}
    rows = [{"user_id": "u", "item_id": str(n)} for n in range(1001)]
    answer = client.post(f"/v1/datasets/{dataset}/interactions", json={"interactions": rows})
    assert answer.status_code == 413


def test_pages_are_in_byte_order_and_stable_under_writes(
    tenant: Tenant, client: httpx.Client
) -> None:
    dataset = tenant.dataset("pages")
    path = f"/v1/datasets/{dataset}/items"
    ids = ["B", "a", "b", "é", "z", "🦀", "Z"]
    client.put(path, json={"items": [{"id": ident} for ident in ids]})
    page = client.get(path, params={"page_size": 3}).json()
    seen = [row["id"] for row in page["items"]]
    client.put(path, json={"items": [{"id": "A"}, {"id": "zz"}]})  # one before, one after
    while page["next_page_token"]:
        params = {"page_size": 3, "page_token": page["next_page_token"]}
        page = client.get(path, params=params).json()
        seen += [row["id"] for row in page["items"]]
    assert seen == sorted([*ids, "zz"], key=lambda ident: ident.encode())


def test_good_interactions_are_taken_and_bad_ones_named_by_place(
    tenant: Tenant, client: httpx.Client
) -> None:
    path = f"/v1/datasets/{tenant.dataset('rows')}/interactions"
    rows = [
        {"user_id": "u", "item_id": "i", "value": 5, "type": "rating", "text": "good"},
        {"user_id": "u"},
        {"user_id": "u", "item_id": "j", "timestamp": "yesterday"},
        {"user_id": "u", "item_id": "j", "value": "much"},
        {"user_id": "u", "item_id": "j", "colour": "red"},
        "no object",
        {"user_id": "u", "item_id": "k", "split": "train", "position": 3},
        {"user_id": "u", "item_id": "j", "timestamp": 1e300},
        {"user_id": "u", "item_id": "j", "timestamp": "0001-01-01T00:00:00+14:00"},
        {"user_id": "u", "item_id": "j", "text": "x" * 1001},
        {"user_id": "u", "item_id": "j", "value": True},
        {"user_id": "u", "item_id": "j", "timestamp": False},
    ]
    answer = client.post(path, json={"interactions": rows})
    assert answer.status_code == 207
    body = answer.json()
    assert (body["accepted"], body["duplicates"], body["rejected"]) == (2, 0, 10)
    assert [(fault["index"], fault["pointer"]) for fault in body["errors"]] == [
        (1, "/interactions/1/item_id"),
        (2, "/interactions/2/timestamp"),
        (3, "/interactions/3/value"),
        (4, "/interactions/4/colour"),
        (5, "/interactions/5"),
        (7, "/interactions/7/timestamp"),
        (8, "/interactions/8/timestamp"),
        (9, "/interactions/9/text"),
        (10, "/interactions/10/value"),
        (11, "/interactions/11/timestamp"),
    ]
    kept = client.get(path).json()["interactions"]
    assert [row["item_id"] for row in kept] == ["i", "k"]
    assert (kept[0]["value"], kept[0]["text"], kept[1]["position"]) == (5.0, "good", 3)


def test_an_event_is_the_same_by_its_id_else_by_user_item_type_and_time(
    tenant: Tenant, client: httpx.Client
) -> None:
    dataset = tenant.dataset("twice")
    path = f"/v1/datasets/{dataset}/interactions"
    base = {"user_id": "u", "item_id": "i", "type": "view", "timestamp": "2026-01-01T00:00:00Z"}
    rows = [
        base,
        {**base, "timestamp": "2026-01-01T01:00:00+01:00"},  # the same moment
        {**base, "type": "buy"},
        {**base, "timestamp": None},
        {**base, "event_id": "e1"},
        {"user_id": "other", "item_id": "other", "event_id": "e1"},
    ]
    first = client.post(path, json={"interactions": rows})
    assert first.status_code == 207
    assert (first.json()["accepted"], first.json()["duplicates"]) == (4, 2)
    assert _version(client, dataset) == 1
    again = client.post(path, json={"interactions": rows}).json()
    assert (again["accepted"], again["duplicates"]) == (0, 6)
    assert _version(client, dataset) == 1
    assert len(client.get(path).json()["interactions"]) == 4


@pytest.mark.parametrize(
    ("given", "timezone", "moment"),
    [
        (1_700_000_000, None, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (1_700_000_000_000, None, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("2023-11-14T23:13:20+01:00", None, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("2023-11-14 23:13:20", "Europe/Berlin", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("2023-11-14 23:13:20", None, None),
    ],
)
def test_times_are_read_in_seconds_milliseconds_and_words(
    tenant: Tenant,
    client: httpx.Client,
    given: str | float,
    timezone: str | None,
    moment: datetime | None,
) -> None:
    dataset = tenant.dataset(f"time {given} {timezone}", timezone=timezone)
    path = f"/v1/datasets/{dataset}/interactions"
    row = {"user_id": "u", "item_id": "i", "timestamp": given}
    answer = client.post(path, json={"interactions": [row]}).json()
    if moment is None:
        assert answer["errors"][0]["code"] == "NAIVE_TIMESTAMP"
    else:
        kept = client.get(path).json()["interactions"][0]["timestamp"]
        assert datetime.fromisoformat(kept) == moment


def test_where_ids_must_be_known_unknown_ones_are_refused(
    tenant: Tenant, client: httpx.Client
) -> None:
    dataset = tenant.dataset("known", require_known_ids=True)
    client.put(f"/v1/datasets/{dataset}/users", json={"users": [{"id": "u"}]})
    client.put(f"/v1/datasets/{dataset}/items", json={"items": [{"id": "i"}]})
    rows = [{"user_id": u, "item_id": i} for u, i in (("u", "i"), ("u", "x"), ("x", "i"))]
    body = {"interactions": rows}
    answer = client.post(f"/v1/datasets/{dataset}/interactions", json=body).json()
    assert (answer["accepted"], answer["rejected"]) == (1, 2)
    pointers = [fault["pointer"] for fault in answer["errors"]]
    assert pointers == ["/interactions/1/item_id", "/interactions/2/user_id"]


def test_interactions_are_listed_by_arrival_and_filtered(
    tenant: Tenant, client: httpx.Client
) -> None:
    path = f"/v1/datasets/{tenant.dataset('log')}/interactions"
    rows = [{"user_id": f"u{n % 3}", "item_id": f"i{n}"} for n in range(10)]
    client.post(path, json={"interactions": rows})
    page = client.get(path, params={"page_size": 4}).json()
    seen = [row["item_id"] for row in page["interactions"]]
    while page["next_page_token"]:
        params = {"page_size": 4, "page_token": page["next_page_token"]}
        page = client.get(path, params=params).json()
        seen += [row["item_id"] for row in page["interactions"]]
    assert seen == [f"i{n}" for n in range(10)]
    own = client.get(path, params={"user_id": "u1"}).json()["interactions"]
    assert [row["item_id"] for row in own] == ["i1", "i4", "i7"]
