"""A repeated POST is answered, not repeated."""

import threading
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from services.shared.db.repos import idempotency
from services.shared.db.session import unit_of_work
from tests.api.conftest import Api, Tenant

pytestmark = pytest.mark.stack


def _post(client: httpx.Client, path: str, body: object, key: str) -> httpx.Response:
    return client.post(path, json=body, headers={"Idempotency-Key": key})


def test_the_same_body_gets_the_first_answer_marked_as_a_replay(tenant: Tenant) -> None:
    key = str(uuid4())
    with tenant.client() as client:
        first = _post(client, "/v1/datasets", {"name": "once"}, key)
        again = _post(client, "/v1/datasets", {"name": "once"}, key)
        names = [row["name"] for row in client.get("/v1/datasets").json()["datasets"]]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert names.count("once") == 1


def test_another_body_under_the_same_key_is_refused(tenant: Tenant) -> None:
    key = str(uuid4())
    with tenant.client() as client:
        assert _post(client, "/v1/datasets", {"name": "a"}, key).status_code == 201
        other = _post(client, "/v1/datasets", {"name": "b"}, key)
    assert other.status_code == 422
    assert other.json()["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_a_refused_request_leaves_the_key_free(tenant: Tenant) -> None:
    key = str(uuid4())
    with tenant.client() as client:
        assert _post(client, "/v1/datasets", {"name": ""}, key).status_code == 422
        assert _post(client, "/v1/datasets", {"name": "at last"}, key).status_code == 201


def test_while_the_first_still_runs_the_second_is_told_so(tenant: Tenant) -> None:
    key = str(uuid4())
    with unit_of_work(tenant.id) as session:
        assert idempotency.lock(session, tenant.id, key)
        with tenant.client() as client:
            answer = _post(client, "/v1/datasets", {"name": "busy"}, key)
    assert answer.status_code == 409
    assert answer.json()["code"] == "STILL_RUNNING"


def test_of_many_at_once_one_acts(tenant: Tenant) -> None:
    key, answers = str(uuid4()), []

    def post() -> None:
        with tenant.client() as client:
            answers.append(_post(client, "/v1/datasets", {"name": "race"}, key))

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {201, 409}
    created = [a for a in answers if a.status_code == 201]
    assert len({a.json()["id"] for a in created}) == 1
    assert [a for a in created if "idempotency-replayed" not in a.headers].__len__() == 1


def test_after_a_day_the_key_is_free_again(tenant: Tenant) -> None:
    key = str(uuid4())
    with tenant.client() as client:
        _post(client, "/v1/datasets", {"name": "yesterday"}, key)
        with unit_of_work(tenant.id) as session:
            session.execute(
                text("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
            )
        assert _post(client, "/v1/datasets", {"name": "today"}, key).status_code == 201


def test_two_projects_may_use_the_same_key(api: Api, tenant: Tenant) -> None:
    key, other = str(uuid4()), api.project()
    with tenant.client() as one, other.client() as two:
        first = _post(one, "/v1/datasets", {"name": "same"}, key).json()
        second = _post(two, "/v1/datasets", {"name": "same"}, key).json()
    assert first["id"] != second["id"]


def test_a_project_is_made_once_though_nobody_owns_it_yet(api: Api) -> None:
    key = str(uuid4())
    with api.operator() as operator:
        first = _post(operator, "/v1/projects", {"name": "tenant"}, key)
        again = _post(operator, "/v1/projects", {"name": "tenant"}, key)
        other = _post(operator, "/v1/projects", {"name": "tenant 2"}, key)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert other.status_code == 422


def test_a_replayed_key_shows_no_secret_and_none_is_stored(tenant: Tenant) -> None:
    key = str(uuid4())
    with tenant.client("admin") as admin:
        first = _post(admin, "/v1/keys", {"name": "k", "role": "read"}, key).json()
        again = _post(admin, "/v1/keys", {"name": "k", "role": "read"}, key).json()
    assert again == {**first, "key": None}
    with unit_of_work(tenant.id) as session:
        kept = session.scalar(
            text("SELECT string_agg(answer::text, '') FROM idempotency_keys WHERE key = :key"),
            {"key": key},
        )
    assert first["key"].split("_")[2] not in kept


def test_interactions_are_counted_once(tenant: Tenant) -> None:
    dataset, key = tenant.dataset("counted"), str(uuid4())
    path = f"/v1/datasets/{dataset}/interactions"
    body = {"interactions": [{"user_id": "u", "item_id": "i"}]}
    with tenant.client() as client:
        answers = [_post(client, path, body, key).json() for _ in range(2)]
        stored = client.get(path).json()["interactions"]
    assert (
        answers[0]
        == answers[1]
        == {
            "accepted": 1,
            "duplicates": 0,
            "rejected": 0,
            "errors": [],
            "warnings": [],
        }
    )
    assert len(stored) == 1
