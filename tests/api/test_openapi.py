"""The document is valid, complete and served without a key; /docs asks no other host."""

import re

import pytest
from openapi_spec_validator import validate

from services.api.main import create_routes
from services.api.openapi import operations
from tests.api.conftest import Api

DOCUMENT = create_routes().openapi()
BUILT = {
    ("post", "/v1/projects"),
    ("post", "/v1/keys"),
    ("get", "/v1/keys"),
    ("delete", "/v1/keys/{key}"),
    ("post", "/v1/datasets"),
    ("get", "/v1/datasets"),
    ("get", "/v1/datasets/{dataset}"),
    ("patch", "/v1/datasets/{dataset}"),
    ("delete", "/v1/datasets/{dataset}"),
    ("put", "/v1/datasets/{dataset}/users"),
    ("get", "/v1/datasets/{dataset}/users"),
    ("get", "/v1/datasets/{dataset}/users/{user_id}"),
    ("patch", "/v1/datasets/{dataset}/users/{user_id}"),
    ("delete", "/v1/datasets/{dataset}/users/{user_id}"),
    ("put", "/v1/datasets/{dataset}/items"),
    ("get", "/v1/datasets/{dataset}/items"),
    ("get", "/v1/datasets/{dataset}/items/{item_id}"),
    ("patch", "/v1/datasets/{dataset}/items/{item_id}"),
    ("delete", "/v1/datasets/{dataset}/items/{item_id}"),
    ("post", "/v1/datasets/{dataset}/imports"),
    ("get", "/v1/datasets/{dataset}/imports"),
    ("get", "/v1/datasets/{dataset}/imports/{import_id}/errors"),
    ("post", "/v1/datasets/{dataset}/interactions"),
    ("get", "/v1/datasets/{dataset}/interactions"),
    ("get", "/v1/datasets/{dataset}/preflight"),
    ("post", "/v1/datasets/{dataset}/runs"),
    ("get", "/v1/datasets/{dataset}/runs"),
    ("get", "/v1/jobs"),
    ("get", "/v1/jobs/{job}"),
    ("post", "/v1/jobs/{job}:cancel"),
    ("post", "/v1/jobs/{job}:pause"),
    ("post", "/v1/jobs/{job}:resume"),
    ("post", "/v1/jobs/{job}:retry"),
    ("get", "/v1/jobs/{job}/events"),
    ("post", "/v1/jobs/{job}:pause"),
    ("post", "/v1/jobs/{job}:resume"),
    ("post", "/v1/jobs/{job}:retry"),
    ("get", "/v1/models"),
    ("get", "/v1/models/{model}"),
    ("post", "/v1/models/{model}:promote"),
    ("post", "/v1/models/{model}:undo-refinement"),
    ("post", "/v1/models/{model}:redo-refinement"),
    ("post", "/v1/datasets/{dataset}:rollback"),
    ("get", "/v1/audit"),
    ("get", "/v1/datasets/{dataset}/recommendations/{user_id}"),
    ("post", "/v1/datasets/{dataset}/recommendations:batch"),
    ("post", "/v1/datasets/{dataset}/recommendations:session"),
    ("get", "/v1/datasets/{dataset}/items/{item_id}/similar"),
    ("get", "/v1/datasets/{dataset}/verdicts"),
    ("get", "/v1/datasets/{dataset}/verdicts/{user_id}/{item_id}"),
    ("put", "/v1/datasets/{dataset}/verdicts/{user_id}/{item_id}"),
    ("delete", "/v1/datasets/{dataset}/verdicts/{user_id}/{item_id}"),
    ("post", "/v1/datasets/{dataset}/verdicts:batch"),
    ("get", "/v1/datasets/{dataset}/noise-report"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/metrics"),
}


def test_the_document_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    validate(DOCUMENT)


def test_what_is_built_is_described_and_nothing_else_has_a_route() -> None:
    assert {(method, path) for path, method, _ in operations(DOCUMENT)} == BUILT


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in operations(DOCUMENT)]
    assert len(ids) == len(set(ids))


def test_every_error_is_a_problem_and_every_v1_route_names_its_key() -> None:
    for path, method, operation in operations(DOCUMENT):
        where = f"{method} {path}"
        for status, answer in operation["responses"].items():
            ready = path == "/health/ready" and status == "503"
            if status[0] in "45" and not ready:
                assert set(answer["content"]) == {"application/problem+json"}, (where, status)
        if path.startswith("/v1/"):
            assert operation["security"] == [{"key": []}], where
            assert {"401", "403", "422", "500", "503"} <= set(operation["responses"]), where


def test_every_answer_and_body_has_an_example_in_each_field() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for name, schema in schemas.items():
        if name.startswith("New") or name.endswith("Answer"):
            for field, described in schema.get("properties", {}).items():
                told = {"examples", "example", "$ref", "default", "description", "anyOf", "items"}
                assert told & set(described), f"{name}.{field}"


@pytest.mark.stack
def test_the_document_and_the_page_are_served_without_a_key(api: Api) -> None:
    with api.as_(None) as client:
        assert client.get("/openapi.json").json() == DOCUMENT
        page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "/v1/datasets/{dataset}/recommendations/{user_id}" in page.text
    assert not re.findall(r"(?:src|href)=\"(?!/openapi\.json)", page.text)
    assert "http" not in page.text.replace("http-equiv", "")
    for field in ("settings.split.kind", "params.max_drop_share", "verdicts[].note", "user_ids"):
        assert f"<td>{field}</td><td>body</td>" in page.text


def test_k_is_bounded_by_the_length_of_published_lists() -> None:
    operation = DOCUMENT["paths"]["/v1/datasets/{dataset}/recommendations/{user_id}"]["get"]
    k = next(one for one in operation["parameters"] if one["name"] == "k")
    assert (k["schema"]["minimum"], k["schema"]["maximum"]) == (1, 100)
