"""Recommendations are slices of mapped lists: verified, swapped between requests, never stale."""

import json
import time
from pathlib import Path
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import pytest

from services.api.served.pointers import FRESH_SECONDS
from services.shared.artifacts import ArtifactStore
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Model
from tests.api.conftest import Api, Tenant
from tests.api.rows import Rows, add_model, point_to

pytestmark = pytest.mark.stack
RAW: Rows = {"u": [("x", 2.0, []), ("y", 1.0, [])]}
DENOISED: Rows = {
    "u": [("a", 3.5, ["because of b"]), ("b", 2.5, []), ("c", 1.5, [])],
    "we/ird:..%2F🦀": [("for you", 1.0, [])],
}


@pytest.fixture(scope="module")
def served(api: Api, tenant: Tenant) -> tuple[str, str]:
    """A dataset and the model that it serves."""
    dataset = tenant.dataset("served")
    model = add_model(api.store, tenant.id, UUID(dataset), raw=RAW, denoised=DENOISED)
    return dataset, str(model)


def _get(
    tenant: Tenant,
    dataset: str,
    user: str = "u",
    headers: dict[str, str] | None = None,
    **query: str,
) -> httpx.Response:
    path = f"/v1/datasets/{dataset}/recommendations/{quote(user, safe='').replace('.', '%2E')}"
    with tenant.client("read") as client:
        return client.get(path, params=query, headers=headers)


def test_a_known_user_gets_the_default_graphs_list(tenant: Tenant, served: tuple[str, str]) -> None:
    dataset, model = served
    answer = _get(tenant, dataset)
    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["etag"] == f'"{body["recommendation_id"]}"'
    assert list(body) == [
        "recommendation_id",
        "model_id",
        "dataset_version",
        "strategy",
        "fallback",
        "items",
    ]
    assert (body["model_id"], body["dataset_version"]) == (model, 3)
    assert (body["strategy"], body["fallback"]) == ("model", None)
    assert body["items"] == [
        {"item_id": "a", "score": 3.5, "rank": 1, "reasons": []},
        {"item_id": "b", "score": 2.5, "rank": 2, "reasons": []},
        {"item_id": "c", "score": 1.5, "rank": 3, "reasons": []},
    ]


def test_k_graph_explain_and_model_choose(tenant: Tenant, served: tuple[str, str]) -> None:
    dataset, model = served

    def items(**query: str) -> list[str]:
        body = _get(tenant, dataset, **query).json()
        return [item["item_id"] for item in body["items"]]

    assert items(k="2") == ["a", "b"]
    assert items(k="100") == ["a", "b", "c"]
    assert items(graph="raw") == ["x", "y"]
    assert items(graph="denoised", k="1") == ["a"]
    assert items(model=model, exclude_seen="true") == ["a", "b", "c"]
    explained = _get(tenant, dataset, explain="true", k="1").json()["items"]
    assert explained[0]["reasons"] == ["because of b"]


def test_an_unknown_user_gets_what_is_popular_and_is_told(
    tenant: Tenant, served: tuple[str, str]
) -> None:
    body = _get(tenant, served[0], "nobody", k="1").json()
    assert (body["strategy"], body["fallback"]) == ("popular", "popular")
    assert [item["item_id"] for item in body["items"]] == ["popular 1"]


def test_a_strange_user_id_finds_its_own_list(tenant: Tenant, served: tuple[str, str]) -> None:
    body = _get(tenant, served[0], "we/ird:..%2F🦀").json()
    assert (body["strategy"], body["items"][0]["item_id"]) == ("model", "for you")


@pytest.mark.parametrize(
    "query",
    [
        {"k": "0"},
        {"k": "-1"},
        {"k": "101"},
        {"k": "many"},
        {"k": "²"},
        {"k": "1e2"},
        {"graph": "other"},
        {"explain": "maybe"},
        {"exclude_seen": "no"},
        {"fresh": "yes"},
        {"include_new_items": "1"},
        {"model": "x"},
        {"filter": "x"},
        {"k": ""},
    ],
)
def test_a_wrong_query_is_named(
    tenant: Tenant, served: tuple[str, str], query: dict[str, str]
) -> None:
    answer = _get(tenant, served[0], **query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"] == f"/query/{next(iter(query))}"


def test_an_answer_that_stands_is_not_sent_again(tenant: Tenant, served: tuple[str, str]) -> None:
    first = _get(tenant, served[0])
    etag = first.headers["etag"]
    for given in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = _get(tenant, served[0], headers={"If-None-Match": given})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    assert _get(tenant, served[0], headers={"If-None-Match": '"other"'}).status_code == 200
    tags = {_get(tenant, served[0], **query).headers["etag"] for query in ({"k": "2"}, {"k": "3"})}
    assert len(tags | {etag}) == 3
    assert _get(tenant, served[0], "v").headers["etag"] != etag


def test_without_a_model_there_is_a_word_and_no_list(tenant: Tenant) -> None:
    dataset = tenant.dataset("modelless")
    answer = _get(tenant, dataset)
    assert (answer.status_code, answer.json()["code"]) == (409, "NO_MODEL")
    assert _get(tenant, dataset, model=str(uuid4())).status_code == 404
    assert _get(tenant, str(uuid4())).status_code == 404


def test_a_model_of_another_dataset_is_not_found(
    api: Api, tenant: Tenant, served: tuple[str, str]
) -> None:
    other = tenant.dataset("other")
    foreign = add_model(api.store, tenant.id, UUID(other), raw=RAW, denoised=DENOISED)
    assert _get(tenant, served[0], model=str(foreign)).status_code == 404


def test_a_promotion_swaps_the_lists_between_two_requests(api: Api, tenant: Tenant) -> None:
    dataset = tenant.dataset("swapped")
    old = add_model(api.store, tenant.id, UUID(dataset), raw=RAW, denoised=DENOISED)
    new_rows: Rows = {"u": [("new", 1.0, [])]}
    new = add_model(
        api.store, tenant.id, UUID(dataset), raw=new_rows, denoised=new_rows, serve=False
    )
    before = _get(tenant, dataset)
    with tenant.client("write") as client:
        models = client.get("/v1/models", params={"dataset": dataset}).json()["models"]
        assert [(m["id"], m["served"]) for m in models] == [(str(new), False), (str(old), True)]
        card = client.post(f"/v1/models/{new}:promote").json()
        assert (card["id"], card["served"], card["metrics"]) == (
            str(new),
            True,
            {"raw": {}, "denoised": {}},
        )
        assert client.get(f"/v1/models/{old}").json()["served"] is False
    after = _get(tenant, dataset, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert [item["item_id"] for item in after.json()["items"]] == ["new"]
    assert _get(tenant, dataset, model=str(old)).json()["items"][0]["item_id"] == "a"


def test_a_pointer_moved_elsewhere_is_seen_within_a_second(api: Api, tenant: Tenant) -> None:
    dataset = tenant.dataset("moved")
    add_model(api.store, tenant.id, UUID(dataset), raw=RAW, denoised=DENOISED)
    assert _get(tenant, dataset).json()["items"][0]["item_id"] == "a"
    rows: Rows = {"u": [("moved", 1.0, [])]}
    add_model(api.store, tenant.id, UUID(dataset), raw=rows, denoised=rows)
    time.sleep(FRESH_SECONDS + 0.1)
    assert _get(tenant, dataset).json()["items"][0]["item_id"] == "moved"


def _damage(store: ArtifactStore, project_id: UUID, model_id: UUID) -> None:
    with unit_of_work(project_id) as session:
        model = session.get_one(Model, model_id)
        folder = store.open(model.artifact_path, sha256=model.manifest_sha256)
    path = Path(folder) / "lists-denoised.bin"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # one bit of the index
    path.write_bytes(data)


def test_a_list_that_fails_its_hash_is_refused_and_the_old_one_keeps_serving(
    api: Api, tenant: Tenant
) -> None:
    dataset = tenant.dataset("damaged")
    add_model(api.store, tenant.id, UUID(dataset), raw=RAW, denoised=DENOISED)
    good = _get(tenant, dataset)
    rows: Rows = {"u": [("never", 1.0, [])]}
    bad = add_model(api.store, tenant.id, UUID(dataset), raw=rows, denoised=rows, serve=False)
    _damage(api.store, tenant.id, bad)
    point_to(tenant.id, UUID(dataset), bad)
    time.sleep(FRESH_SECONDS + 0.1)
    for _ in range(3):
        assert _get(tenant, dataset).json() == good.json()
    named = _get(tenant, dataset, model=str(bad))
    assert named.status_code == 503
    assert int(named.headers["retry-after"]) > 0
    with api.as_(None) as nobody:
        ready = nobody.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["dependencies"]["lists"] == "refused"
    api.routes.state.shelf._refused.clear()


def test_a_damaged_list_with_nothing_before_it_is_no_answer(api: Api, tenant: Tenant) -> None:
    dataset = tenant.dataset("damaged at first")
    bad = add_model(api.store, tenant.id, UUID(dataset), raw=RAW, denoised=DENOISED)
    _damage(api.store, tenant.id, bad)
    answer = _get(tenant, dataset)
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert "/" not in answer.json()["detail"]  # no path of ours
    with api.as_(None) as nobody:
        ready = nobody.get("/health/ready")
    assert (ready.status_code, ready.json()["dependencies"]["lists"]) == (503, "missing")
    api.routes.state.shelf._refused.clear()


def test_health_names_each_dependency(api: Api) -> None:
    with api.as_(None) as nobody:
        assert nobody.get("/health/live").json() == {"status": "ok"}
        ready = nobody.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "degraded",  # nothing listens on the LLM's port
        "dependencies": {
            "postgres": "ok",
            "lists": "ok",
            "valkey": "ok",
            "llm": "away",
            "scorer": "not configured",
        },
    }


def test_the_answers_bytes_are_what_json_would_say(tenant: Tenant, served: tuple[str, str]) -> None:
    content = _get(tenant, served[0]).content
    body = json.loads(content)
    assert json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() == content


def test_more_than_a_list_holds_is_refused_with_the_limit(
    tenant: Tenant, served: tuple[str, str]
) -> None:
    assert _get(tenant, served[0], k="100").status_code == 200
    answer = _get(tenant, served[0], k="101")
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        "k is a number from 1 to 100, the length of the published lists."
    )
