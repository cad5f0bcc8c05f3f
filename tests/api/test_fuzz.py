"""Seeded nonsense at every operation: whatever comes, the answer is documented and never a 5xx."""

import random
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from services.api.main import create_routes
from services.api.openapi import operations
from tests.api.conftest import Api, Tenant
from tests.api.rows import Rows, add_model

pytestmark = pytest.mark.stack
DOCUMENT = create_routes().openapi()
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, method, operation in operations(DOCUMENT)
    if path.startswith("/v1/")
}
ROUNDS = 25
TEXTS = ("", "a", "0", "-1", "1e999", "null", "é", "🦀", "%00", "..", "/", "x" * 300, "'--", "2⁶⁴")
NUMBERS = (0, -1, 1.5, 2**31, 2**63, 2**64, 1e308, -0.0)


def _value(rng: random.Random, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON
    kinds = ["text", "number", "word"] + (["list", "object"] if depth < 3 else [])
    match rng.choice(kinds):
        case "text":
            return rng.choice([*TEXTS, "\0", "a\0b", "2026-01-01T00:00:00Z"])
        case "number":
            return rng.choice(NUMBERS)
        case "list":
            return [_value(rng, depth + 1) for _ in range(rng.randrange(4))]
        case "object":
            return {rng.choice(TEXTS): _value(rng, depth + 1) for _ in range(rng.randrange(4))}
    return rng.choice([None, True, False])


def _body(rng: random.Random, operation: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """Return nonsense in the right places as often as nonsense altogether."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None or rng.random() < 0.3:
        return _value(rng)
    name = content["schema"].get("$ref", "").rpartition("/")[2]
    properties = DOCUMENT["components"]["schemas"].get(name, {}).get("properties", {})
    body = {}
    for field, schema in properties.items():
        examples = schema.get("examples") or [schema.get("default")]
        body[field] = examples[0] if rng.random() < 0.5 else _value(rng)
    return body


@pytest.fixture(scope="module")
def ids(api: Api, tenant: Tenant) -> dict[str, str]:
    """Things that exist, so that nonsense gets past the 404s."""
    dataset = tenant.dataset("fuzzed")
    rows: Rows = {"u": [("i", 1.0, [])]}
    model = add_model(api.store, tenant.id, UUID(dataset), raw=rows, denoised=rows)
    with tenant.client() as client:
        client.put(f"/v1/datasets/{dataset}/users", json={"users": [{"id": "u"}]})
        client.put(f"/v1/datasets/{dataset}/items", json={"items": [{"id": "i"}]})
        job = client.get("/v1/jobs").json()["jobs"][0]["id"]
    return {"dataset": dataset, "user_id": "u", "item_id": "i", "model": str(model), "job": job}


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - {"delete_dataset", "create_project"}))
def test_nonsense_is_answered_as_documented(tenant: Tenant, ids: dict[str, str], name: str) -> None:
    method, path, operation = OPERATIONS[name]
    rng = random.Random(name)
    documented = set(operation["responses"])
    parameters = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
    with tenant.client("admin") as client:
        for _ in range(ROUNDS):
            target = path
            for step in [p for p in operation.get("parameters", []) if p["in"] == "path"]:
                odd = rng.choice([text for text in TEXTS if text])
                given = ids.get(step["name"], odd) if rng.random() < 0.7 else odd
                segment = quote(given, safe="").replace(".", "%2E")
                target = target.replace(f"{{{step['name']}}}", segment)
            query = {word: rng.choice(TEXTS) for word in parameters if rng.random() < 0.3}
            json = _body(rng, operation) if method in {"post", "put", "patch"} else None
            answer = client.request(method, target, params=query, json=json)
            _check(answer, documented)


AWAY = "The scorer is unavailable."  # none stands behind this api: that much may be said


def _check(answer: httpx.Response, documented: set[str]) -> None:
    if answer.status_code == 503 and answer.json()["detail"] == AWAY:
        return
    assert answer.status_code < 500, (answer.request.url, answer.request.content, answer.text)
    assert str(answer.status_code) in documented | {"405"}, (answer.request.url, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
