"""Every route wants the right key, and shows another project nothing."""

from collections import defaultdict
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from services.api.main import create_routes
from services.api.openapi import operations
from services.shared.db.session import unit_of_work
from tests.api.conftest import NO_TLS, Api, Tenant
from tests.api.rows import add_model

pytestmark = pytest.mark.stack
PUBLIC = {"/health/live", "/health/ready"}
OPERATORS = {"create_project"}
READERS = {"recommend_batch", "recommend_session"}  # they ask with a body, and change nothing
ADMINS = {"create_key", "list_keys", "revoke_key"}
WITHOUT_ID = {"create_dataset", "list_datasets", "list_jobs", "list_models", *OPERATORS, *ADMINS}
DOCUMENT = create_routes().openapi()
ROUTES = {
    operation["operationId"]: (method.upper(), path)
    for path, method, operation in operations(DOCUMENT)
    if path not in PUBLIC
}
BODIES: dict[str, Any] = {
    "put_users": {"users": []},
    "put_items": {"items": []},
    "add_interactions": {"interactions": []},
    "start_run": {},
    "recommend_batch": {"user_ids": ["u"]},
    "recommend_session": {"items": ["i"]},
    "change_dataset": {"name": "taken over"},
    "change_user": {"text": "taken over"},
    "change_item": {"text": "taken over"},
    "create_project": {"name": "x"},
    "create_key": {"name": "x", "role": "read"},
    "create_dataset": {"name": "x"},
}
QUERIES = {"import_file": {"kind": "users", "format": "csv"}}


@pytest.fixture(scope="module")
def ids(api: Api, tenant: Tenant) -> dict[str, str]:
    """One thing of each kind in the first project."""
    dataset = tenant.dataset("doors")
    with tenant.client() as client:
        client.put(f"/v1/datasets/{dataset}/users", json={"users": [{"id": "u"}]})
        client.put(f"/v1/datasets/{dataset}/items", json={"items": [{"id": "i"}]})
    rows = {"u": [("i", 1.0, [])]}
    model = add_model(api.store, tenant.id, UUID(dataset), raw=rows, denoised=rows)
    with tenant.client() as client:
        job = client.get("/v1/jobs").json()["jobs"][0]["id"]
    return {
        "dataset": dataset,
        "user_id": "u",
        "item_id": "i",
        "model": str(model),
        "job": job,
        "key": tenant.keys["read"].split("_")[1],
    }


def _call(client: httpx.Client, name: str, ids: dict[str, str]) -> httpx.Response:
    method, path = ROUTES[name]
    known = defaultdict(lambda: str(uuid4()), ids)
    return client.request(
        method, path.format_map(known), json=BODIES.get(name), params=QUERIES.get(name)
    )


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_without_a_key_or_with_a_wrong_one_a_route_answers_401(
    api: Api, tenant: Tenant, ids: dict[str, str], name: str
) -> None:
    prefix = tenant.keys["admin"].split("_")[1]
    wrong = ("wn_" + "0" * 12 + "_" + "0" * 64, f"wn_{prefix}_{'0' * 64}", "x", "wn_é_x")
    for key in (None, *(key.encode().decode("latin-1") for key in wrong)):
        headers = {} if key is None else {"Authorization": f"Bearer {key}".encode("latin-1")}
        with httpx.Client(
            base_url=api.url, headers=headers, trust_env=False, verify=NO_TLS
        ) as client:
            answer = _call(client, name, ids)
        assert answer.status_code == 401, key
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "name", [n for n in sorted(ROUTES) if ROUTES[n][0] != "GET" and n not in READERS]
)
def test_a_read_key_changes_nothing(tenant: Tenant, ids: dict[str, str], name: str) -> None:
    with tenant.client("read") as client:
        assert _call(client, name, ids).status_code == 403


@pytest.mark.parametrize("name", sorted(ADMINS | OPERATORS))
def test_keys_need_an_admin_and_projects_the_operator(
    tenant: Tenant, ids: dict[str, str], name: str
) -> None:
    with tenant.client("write") as client:
        assert _call(client, name, ids).status_code == 403


@pytest.mark.parametrize("name", sorted(set(ROUTES) - WITHOUT_ID))
def test_another_projects_key_finds_nothing(
    api: Api, ids: dict[str, str], name: str, stranger: Tenant
) -> None:
    with stranger.client("admin") as client:
        answer = _call(client, name, ids)
    assert answer.status_code == 404, answer.text
    assert answer.json()["code"] == "NOT_FOUND"


@pytest.fixture(scope="module")
def stranger(api: Api) -> Tenant:
    """Another project."""
    return api.project()


@pytest.mark.parametrize("name", ["list_datasets", "list_jobs", "list_models"])
def test_a_list_shows_its_own_project_only(
    ids: dict[str, str], stranger: Tenant, name: str
) -> None:
    with stranger.client("read") as client:
        answer = _call(client, name, ids).json()
    rows = next(rows for rows in answer.values() if isinstance(rows, list))
    assert not {row["id"] for row in rows} & set(ids.values())


def test_an_admin_sees_and_revokes_no_other_projects_keys(
    ids: dict[str, str], stranger: Tenant, tenant: Tenant
) -> None:
    with stranger.client("admin") as client:
        assert client.delete(f"/v1/keys/{ids['key']}").status_code == 404
        other = {"project_id": str(tenant.id)}
        assert client.get("/v1/keys", params=other).status_code == 404
        body = {**other, "name": "mine now", "role": "admin"}
        assert client.post("/v1/keys", json=body).status_code == 404
        prefixes = {key["prefix"] for key in client.get("/v1/keys").json()["keys"]}
    assert prefixes == {key.split("_")[1] for key in stranger.keys.values()}


def test_the_operator_reads_no_projects_data(api: Api, ids: dict[str, str]) -> None:
    with api.operator() as operator:
        for name in sorted(set(ROUTES) - OPERATORS - ADMINS):
            assert _call(operator, name, ids).status_code in {403, 404}, name


def test_unknown_paths_under_v1_want_a_key_too_and_then_do_not_exist(
    api: Api, tenant: Tenant
) -> None:
    with api.as_(None) as nobody, tenant.client() as somebody:
        assert nobody.get("/v1/secrets").status_code == 401
        assert somebody.get("/v1/secrets").status_code == 404
        assert nobody.get("/secrets").status_code == 404


def test_row_level_security_alone_hides_the_other_project(
    tenant: Tenant, stranger: Tenant, ids: dict[str, str]
) -> None:
    tables = ("datasets", "users", "items", "models", "jobs", "runs", "stages", "api_keys")
    for table in tables:
        with unit_of_work(stranger.id) as session:
            seen = session.scalars(text(f"SELECT project_id FROM {table}")).all()
        with unit_of_work(tenant.id) as session:
            own = session.scalars(text(f"SELECT project_id FROM {table}")).all()
        assert set(seen) <= {stranger.id}, table
        assert set(own) == {tenant.id}, table


def test_the_api_connects_as_a_role_that_cannot_bypass_row_level_security(api: Api) -> None:
    with unit_of_work() as session:
        row = session.execute(
            text(
                "SELECT current_user, rolsuper, rolbypassrls FROM pg_roles"
                " WHERE rolname = current_user"
            )
        ).one()
    assert tuple(row) == ("winnow_app", False, False)


def test_a_revoked_key_stops_at_once_where_it_was_revoked(api: Api) -> None:
    tenant = api.project()
    with tenant.client("write") as writer, tenant.client("admin") as admin:
        assert writer.get("/v1/datasets").status_code == 200
        assert admin.delete(f"/v1/keys/{tenant.keys['write'].split('_')[1]}").status_code == 204
        assert writer.get("/v1/datasets").status_code == 401
        assert admin.delete(f"/v1/keys/{uuid4()}").status_code == 404


def test_the_operator_revokes_a_key_by_its_prefix_alone(api: Api) -> None:
    tenant = api.project()
    prefix = tenant.keys["read"].split("_")[1]
    with api.operator() as operator, tenant.client("read") as reader:
        assert reader.get("/v1/datasets").status_code == 200
        assert operator.delete(f"/v1/keys/{prefix}").status_code == 204
        assert reader.get("/v1/datasets").status_code == 401


def test_an_expired_key_opens_nothing(api: Api, tenant: Tenant) -> None:
    with tenant.client("admin") as admin:
        body = {"name": "short", "role": "read", "expires_at": "2999-01-01T00:00:00Z"}
        made = admin.post("/v1/keys", json=body).json()
        with api.as_(made["key"]) as client:
            assert client.get("/v1/datasets").status_code == 200
        with unit_of_work(tenant.id) as session:
            session.execute(
                text("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = :id"),
                {"id": made["id"]},
            )
        api.routes.state.keyring.forget(made["prefix"])
        with api.as_(made["key"]) as client:
            assert client.get("/v1/datasets").status_code == 401
        past = {"name": "late", "role": "read", "expires_at": "2020-01-01T00:00:00Z"}
        assert admin.post("/v1/keys", json=past).status_code == 422


def test_a_keys_secret_is_shown_once_and_stored_as_a_hash(tenant: Tenant) -> None:
    with tenant.client("admin") as admin:
        made = admin.post("/v1/keys", json={"name": "k", "role": "read"}).json()
        listed = admin.get("/v1/keys").text
    secret = made["key"].split("_")[2]
    assert len(bytes.fromhex(secret)) == 32
    assert secret not in listed
    with unit_of_work(tenant.id) as session:
        stored = session.scalar(
            text("SELECT encode(secret_sha256, 'hex') FROM api_keys WHERE id = :id"),
            {"id": made["id"]},
        )
        hashed = session.scalar(
            text("SELECT encode(sha256(convert_to(:secret, 'UTF8')), 'hex')"), {"secret": secret}
        )
    assert stored == hashed
