"""The OpenAPI 3.1 document: FastAPI's, completed with every error that a route can answer."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.api.errors import PROBLEM_JSON
from services.api.schemas.base import UUID_EXAMPLE, Problem
from services.shared.settings import settings

VERSION = "0.1.0"
SUMMARY = "Turns interaction logs and text profiles into denoised recommendations."
ALWAYS = (500, 503)
NAMING_ANOTHER = ("/v1/keys", "/v1/models")  # a project, a dataset, in query or body
RECOMMENDATIONS = "/recommendations/{user_id}"
UNUSED = ("HTTPValidationError", "ValidationError")
Json = dict[str, Any]


def document(app: FastAPI) -> Json:
    """Return the document, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _complete(
            get_openapi(
                title=app.title,
                version=app.version,
                openapi_version="3.1.0",
                summary=SUMMARY,
                routes=app.routes,
            )
        )
    return app.openapi_schema


def _complete(doc: Json) -> Json:
    schemas = doc.setdefault("components", {}).setdefault("schemas", {})
    for name in UNUSED:
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for path, method, operation in operations(doc):
        answers = operation["responses"]
        answers.pop("422", None)
        for status in _statuses(path, method, operation):
            if str(status) not in answers:
                answers[str(status)] = _problem_answer(status)
        if path.endswith(RECOMMENDATIONS):
            _bound_k(operation)
        if (method == "post" and "201" in answers) or "202" in answers:
            _add_location(answers)
    return doc


def operations(doc: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield path, method and operation of everything that the document describes."""
    for path, methods in doc["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _statuses(path: str, method: str, operation: Json) -> list[int]:
    found = [400, *ALWAYS]
    if path.startswith("/v1/"):
        found += [401, 403, 422]
    if "{" in path or path in NAMING_ANOTHER:
        found.append(404)
    if method != "get":
        found.append(409)
    if "requestBody" in operation:
        found += [413, 415]
    if path.endswith((RECOMMENDATIONS, "/similar", "/noise-report")):
        found.append(409)
    return sorted(set(found))


def _bound_k(operation: Json) -> None:
    """Say the longest list: a setting of this server, not known where the route is declared."""
    for parameter in operation["parameters"]:
        if parameter["name"] == "k":
            parameter["schema"]["maximum"] = settings().list_length


def _problem_answer(status: int) -> Json:
    phrase = HTTPStatus(status).phrase
    example = {
        "type": "about:blank",
        "title": phrase,
        "status": status,
        "code": phrase.upper().replace(" ", "_").replace("-", "_"),
        "detail": "What went wrong, in a sentence.",
        "request_id": UUID_EXAMPLE,
        "errors": [],
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    answer: Json = {
        "description": phrase,
        "content": {PROBLEM_JSON: {"schema": schema, "example": example}},
    }
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer["headers"] = {
            "Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}
        }
    return answer


def _add_location(answers: Json) -> None:
    for status in ("201", "202"):
        if status in answers:
            answers[status].setdefault("headers", {})["Location"] = {
                "schema": {"type": "string"},
                "description": "where the new thing is read, where it has an address",
            }
