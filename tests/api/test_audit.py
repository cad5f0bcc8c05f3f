"""Who did what is written down with the deed, read by admins, and holds no secret."""

import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from services.shared.db.session import unit_of_work
from tests.api.conftest import Api, Tenant
from tests.api.rows import Rows, add_model, add_pair, add_run

pytestmark = pytest.mark.stack
LISTS: Rows = {"u": [("i", 1.0, [])]}


def _log(client: httpx.Client, **query: str) -> list[dict[str, Any]]:
    answer = client.get("/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["entries"])


@pytest.fixture(scope="module")
def busy(api: Api) -> Tenant:
    """A project in which everything that is audited has happened once, by its write key."""
    tenant = api.project()
    dataset = tenant.dataset("shop", min_user_degree=2)
    model = add_model(api.store, tenant.id, UUID(dataset), raw=LISTS, denoised=LISTS)
    other = add_model(api.store, tenant.id, UUID(dataset), raw=LISTS, denoised=LISTS, serve=False)
    run = add_run(tenant.id, UUID(dataset), state="succeeded")
    add_pair(tenant.id, UUID(dataset), run, pair=("u", "i"), labels=("Low", "Low"), verdict="noise")
    pair = f"/v1/datasets/{dataset}/verdicts/u/i"
    headers = {"X-Request-Id": "the-put"}
    with tenant.client("write") as client, tenant.client("admin") as admin:
        client.patch(f"/v1/datasets/{dataset}", json={"settings": {"min_user_degree": 3}})
        client.put(f"/v1/datasets/{dataset}/users", json={"users": [{"id": "u"}]})
        client.put(f"/v1/datasets/{dataset}/items", json={"items": [{"id": "i"}]})
        note = {"verdict": "noise", "note": "a private remark", "author": "ada"}
        client.put(pair, json=note, headers=headers)
        client.put(pair, json=note)  # again: nothing is done, nothing is written
        client.delete(pair, params={"author": "bo"})
        client.post(f"/v1/models/{other}:promote", json={"author": "ada"})
        client.post(f"/v1/datasets/{dataset}:rollback")
        client.post(f"/v1/models/{model}:undo-refinement")
        client.post(f"/v1/models/{model}:redo-refinement")
        client.delete(f"/v1/datasets/{dataset}/users/u")
        client.delete(f"/v1/datasets/{dataset}/items/i")
        made = admin.post("/v1/keys", json={"name": "short-lived", "role": "read"}).json()
        for _ in range(2):
            admin.delete(f"/v1/keys/{made['prefix']}")
        client.delete(f"/v1/datasets/{dataset}")
    return tenant


def test_everything_is_written_once_newest_first_with_who_did_it(busy: Tenant) -> None:
    with busy.client("admin") as admin:
        entries = _log(admin)
    told = [(entry["action"], entry["key_name"] or entry["actor"]) for entry in reversed(entries)]
    assert told == [
        ("project.create", "operator"),
        ("key.create", "operator"),
        ("key.create", "operator"),
        ("key.create", "operator"),
        ("dataset.create", "write"),
        ("dataset.change", "write"),
        ("verdict.set", "write"),
        ("verdict.withdraw", "write"),
        ("model.promote", "write"),
        ("dataset.rollback", "write"),
        ("refinement.undo", "write"),
        ("refinement.redo", "write"),
        ("user.delete", "write"),
        ("item.delete", "write"),
        ("key.create", "admin"),
        ("key.revoke", "admin"),
        ("dataset.delete", "write"),
    ]
    assert {entry["key_prefix"] for entry in entries} == {
        None,
        *(busy.keys[role].split("_")[1] for role in ("admin", "write")),
    }


def test_an_entry_says_what_was_before_and_after(busy: Tenant) -> None:
    with busy.client("admin") as admin:
        (change,) = _log(admin, action="dataset.change")
        (said,) = _log(admin, action="verdict.set")
        (gone,) = _log(admin, action="verdict.withdraw")
        (promoted,) = _log(admin, action="model.promote")
    assert change["subject"] == {"min_user_degree": {"before": 2, "after": 3}}
    pair = {"user_id": "u", "item_id": "i"}
    assert said["subject"] == {**pair, "before": None, "after": "noise"}
    assert (said["author"], said["request_id"]) == ("ada", "the-put")
    assert gone["subject"] == {**pair, "before": "noise", "after": None}
    assert gone["author"] == "bo"
    assert promoted["subject"]["before"]["model_id"] != promoted["subject"]["model_id"]


def test_entries_are_filtered_and_paged(busy: Tenant) -> None:
    with busy.client("admin") as admin:
        every = _log(admin)
        dataset = next(e["dataset_id"] for e in every if e["action"] == "dataset.delete")
        moment = every[7]["created_at"]
        prefix, key_id = every[0]["key_prefix"], every[0]["key_id"]
        assert {e["action"] for e in _log(admin, author="ada")} == {"verdict.set", "model.promote"}
        assert all(e["dataset_id"] == dataset for e in _log(admin, dataset=dataset))
        assert len(_log(admin, dataset=dataset)) == 11, "also after the dataset is gone"
        assert _log(admin, key=prefix) == _log(admin, key=key_id)
        assert {e["key_prefix"] for e in _log(admin, key=prefix)} == {prefix}
        assert _log(admin, since=moment) + _log(admin, until=moment) == every
        first = admin.get("/v1/audit", params={"page_size": 10}).json()
        rest = _log(admin, page_token=first["next_page_token"])
        assert first["entries"] + rest == every
        for wrong in ({"action": "nap"}, {"since": "2026-01-01"}, {"key": "wn_x y"}):
            assert admin.get("/v1/audit", params=wrong).status_code == 422
        naive = admin.get("/v1/audit", params={"since": "2026-01-01T00:00:00"})
    told = "/query/since: must have an offset from UTC, such as Z or +02:00"
    assert (naive.status_code, naive.json()["detail"]) == (422, told)


def test_the_whole_log_comes_as_one_entry_a_line(busy: Tenant) -> None:
    with busy.client("admin") as admin:
        answer = admin.get("/v1/audit", headers={"Accept": "application/x-ndjson"})
        every = _log(admin)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in answer.text.splitlines()] == every


def test_admins_and_the_operator_read_it_and_nobody_else(api: Api, busy: Tenant) -> None:
    stranger = api.project()
    named = {"project_id": str(busy.id)}
    for role in ("read", "write"):
        with busy.client(role) as client:
            assert client.get("/v1/audit").status_code == 403
    with busy.client("admin") as admin, api.operator() as operator:
        every = _log(admin)
        assert _log(operator, **named) == _log(admin, **named) == every
        nobodys = operator.get("/v1/audit")
        assert (nobodys.status_code, nobodys.json()["detail"]) == (
            422,
            "The operator must name a project_id.",
        )
        unknown = operator.get("/v1/audit", params={"project_id": str(UUID(int=7))})
        assert unknown.status_code == 404
    with stranger.client("admin") as client:
        assert client.get("/v1/audit", params=named).status_code == 404
        assert {e["action"] for e in _log(client)} == {"project.create", "key.create"}


def test_no_secret_and_nobodys_words_stand_in_it(busy: Tenant) -> None:
    with busy.client("admin") as admin:
        told = json.dumps(_log(admin))
    for key in busy.keys.values():
        assert key.split("_")[2] not in told
    assert "a private remark" not in told
    with unit_of_work(busy.id) as session:
        hashes = session.scalars(text("SELECT encode(secret_sha256, 'hex') FROM api_keys")).all()
    assert not [found for found in hashes if found in told]


def test_a_deed_that_fails_leaves_no_entry(api: Api) -> None:
    tenant = api.project()
    tenant.dataset("taken")
    with tenant.client("admin") as admin:
        before = _log(admin)
        assert admin.post("/v1/datasets", json={"name": "taken"}).status_code == 409
        assert admin.delete(f"/v1/datasets/{UUID(int=7)}").status_code == 404
        assert _log(admin) == before


def test_a_repeated_request_is_written_down_once(api: Api) -> None:
    tenant = api.project()
    with tenant.client("admin") as admin:
        for _ in range(2):
            headers = {"Idempotency-Key": "k"}
            admin.post("/v1/datasets", json={"name": "once"}, headers=headers)
        assert len(_log(admin, action="dataset.create")) == 1
