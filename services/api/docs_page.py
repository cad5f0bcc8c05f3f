"""/docs: the OpenAPI document as one plain page, which asks no other host for anything."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from services.api.openapi import operations

Json = dict[str, Any]
DEEPEST = 3
"""Levels of fields within fields that are listed."""

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1c1c1c;background:#fff}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}
code{font:14px ui-monospace,monospace}
summary{cursor:pointer;padding:.3rem 0}
table{border-collapse:collapse;margin:.5rem 0 1rem}
td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}a{color:#8ab4f8}}
"""


def page(doc: Json) -> str:
    """Return the page as HTML."""
    title = escape(f"{doc['info']['title']} {doc['info']['version']}")
    groups: dict[str, list[str]] = {}
    for path, method, operation in operations(doc):
        tag = (operation.get("tags") or ["other"])[0]
        fields = _body(doc["components"]["schemas"], operation)
        groups.setdefault(tag, []).append(_operation(path, method, operation, fields))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(rows)}" for tag, rows in groups.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(doc['info'].get('summary', ''))} The full description is "
        '<a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1). Every /v1 route wants '
        "<code>Authorization: Bearer wn_…</code>; errors are "
        f"<code>application/problem+json</code>.</p>{body}</html>"
    )


def _operation(path: str, method: str, operation: Json, fields: list[Json]) -> str:
    rows = "".join(_parameter(one) for one in [*operation.get("parameters", []), *fields])
    table = f"<table>{rows}</table>" if rows else ""
    statuses = ", ".join(operation["responses"])
    return (
        f"<details><summary><code><b>{method.upper()}</b> {escape(path)}</code> "
        f"{escape(operation.get('description', ''))}</summary>{table}"
        f"<p>Answers: <code>{escape(statuses)}</code></p></details>"
    )


def _body(schemas: Json, operation: Json) -> list[Json]:
    """Return the fields of a JSON body, those within others by their dotted names."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return list(_fields(schemas, content.get("schema", {}), ""))


def _fields(schemas: Json, schema: Json, before: str) -> Iterator[Json]:
    if before.count(".") > DEEPEST:
        return
    for part in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        found = schemas.get(part.get("$ref", "").rpartition("/")[2], part)
        if "items" in found:
            yield from _fields(schemas, found["items"], f"{before.removesuffix('.')}[].")
        for name, field in found.get("properties", {}).items():
            told = {"name": f"{before}{name}", "in": "body", "description": _said(field)}
            yield {**told, "required": name in found.get("required", ())}
            yield from _fields(schemas, field, f"{before}{name}.")


def _said(field: Json) -> str:
    """Return what a field is for, with what it may be and what it is when it is left out."""
    words = [field.get("description", "")]
    words += [f"One of {', '.join(map(str, field['enum']))}."] if "enum" in field else []
    plain = "default" in field and not isinstance(field["default"], (dict, list))
    words += [f"Default: {json.dumps(field['default'])}."] if plain else []
    return " ".join(filter(None, words))


def _parameter(parameter: Json) -> str:
    need = "required" if parameter.get("required") else ""
    cells = (parameter["name"], parameter["in"], need, parameter.get("description", ""))
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"
