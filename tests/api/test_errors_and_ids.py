"""Bad input is told, never a 500; ids are the caller's own, whatever characters they hold."""

import base64
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from structlog.testing import capture_logs

from tests.api.conftest import Api, Tenant
from tests.waiting import until

pytestmark = pytest.mark.stack
STRANGE_IDS = (
    "a/b",
    "..",
    ".",
    "../../etc/passwd",
    "%2F",
    "100%",
    "a:cancel",
    "ключ",
    "🦀 and 🐚",
    "a b+c?d=e#f&g",
    "\t\n",
    "'; DROP TABLE users; --",
    "e\u0301",  # not normalised to é
    "\u00e9",
    "x" * 256,
)


@pytest.fixture(scope="module")
def dataset(tenant: Tenant) -> str:
    """A dataset of this file."""
    return tenant.dataset("strange")


@pytest.mark.parametrize("ident", STRANGE_IDS)
def test_an_id_comes_back_as_it_was_given(tenant: Tenant, dataset: str, ident: str) -> None:
    for noun in ("users", "items"):
        path = f"/v1/datasets/{dataset}/{noun}"
        # %2E: an HTTP client would resolve `..` by itself
        own = f"{path}/{quote(ident, safe='').replace('.', '%2E')}"
        with tenant.client() as client:
            put = client.put(path, json={noun: [{"id": ident, "text": f"text of {ident}"}]})
            assert put.status_code == 200, put.text
            assert client.get(own).json()["id"] == ident
            assert client.get(own).json()["text"] == f"text of {ident}"
            changed = client.patch(own, json={"attributes": {"n": 1}}).json()
            assert changed["attributes"] == {"n": 1}
            assert client.delete(own).status_code == 204
            assert client.get(own).status_code == 404


def test_dots_sent_raw_are_an_id_and_no_way_up(tenant: Tenant, dataset: str, api: Api) -> None:
    with tenant.client() as client:
        client.put(f"/v1/datasets/{dataset}/users", json={"users": [{"id": ".."}]})
    status, body = _raw(api, f"GET /v1/datasets/{dataset}/users/.. HTTP/1.1", tenant.keys["read"])
    assert status == 200
    assert b'"id":".."' in body


@pytest.mark.parametrize("segment", ["%00", "%FF", "%C3%28", "a%00b", "%ED%A0%80", "x" * 257])
def test_an_id_that_is_none_is_refused(tenant: Tenant, dataset: str, segment: str) -> None:
    with tenant.client() as client:
        for path in ("users", "items", "recommendations"):
            answer = client.get(f"/v1/datasets/{dataset}/{path}/{segment}")
            assert answer.status_code in {404, 409, 422}, answer.text
            _is_problem(answer)


@pytest.mark.parametrize("ident", ["", "a\0b", "x" * 257, "é" * 129, 7, None, [], {}])
def test_an_id_in_a_body_that_is_none_is_named_by_its_place(
    tenant: Tenant, dataset: str, ident: object
) -> None:
    with tenant.client() as client:
        answer = client.put(
            f"/v1/datasets/{dataset}/users", json={"users": [{"id": "ok"}, {"id": ident}]}
        )
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/users/1/id"


BODIES: Sequence[tuple[bytes, int]] = (
    (b"{", 400),
    (b"", 422),
    (b"null", 422),
    (b"[]", 422),
    (b'"text"', 422),
    (b"\xff\xfe", 400),
    (b'{"name": NaN}', 400),
    (b'{"name": "\\ud800"}', 400),
    (b'{"name": "a\\u0000b"}', 422),
    (b'{"name": "a\\u0001b"}', 422),
    (b'{"name": 1e400}', 400),
    (b'{"name": "x", "unknown": 1}', 422),
    (b'{"name": "x", "settings": {"split": {"val": 0.6, "test": 0.6}}}', 422),
    (b'{"name": "x", "settings": {"positive": "value >> 4"}}', 422),
    (b'{"name": "x", "settings": {"positive": "1=1; DROP TABLE users"}}', 422),
    (b'{"name": "x", "settings": {"timezone": "../../etc/passwd"}}', 422),
    (b"[" * 100_000, 400),
    (b'{"name": ' + b"[" * 64 + b"]" * 64 + b"}", 422),
    (b'{"name": ' + b"[" * 1_000 + b'"\\u0000"' + b"]" * 1_000 + b"}", 422),
    (b'{"name": "' + b"x" * 300_000 + b'"}', 413),
)


@pytest.mark.parametrize(("body", "status"), BODIES, ids=range(len(BODIES)))
def test_a_bad_body_is_told_apart(tenant: Tenant, body: bytes, status: int) -> None:
    with tenant.client() as client:
        headers = {"Content-Type": "application/json"}
        answer = client.post("/v1/datasets", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    _is_problem(answer)


def test_what_may_be_written_may_be_read_however_deep_it_nests(
    tenant: Tenant, dataset: str
) -> None:
    path = f"/v1/datasets/{dataset}/users"
    headers = {"Content-Type": "application/json"}
    with tenant.client() as client:
        for depth, status in ((61, 200), (62, 422), (300, 422), (1_010, 422)):
            nested = b"[" * depth + b"]" * depth  # within attribute, user, list and body
            body = b'{"users": [{"id": "deep", "x": ' + nested + b"}]}"
            answer = client.put(path, content=body, headers=headers)
            assert answer.status_code == status, depth
        assert answer.json()["code"] == "TOO_DEEP"
        assert client.get(f"{path}/deep").status_code == 200
        assert client.get(path).status_code == 200
        client.delete(f"{path}/deep")


def test_a_packed_body_is_not_guessed_at(tenant: Tenant) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with tenant.client() as client:
        answer = client.post("/v1/datasets", content=b"\x1f\x8b", headers=headers)
    assert answer.status_code == 415
    _is_problem(answer)


def test_a_body_without_a_length_is_cut_off_at_the_limit(tenant: Tenant) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"name": "'
        for _ in range(40):
            yield b"x" * 10_000
        yield b'"}'

    with tenant.client() as client:
        headers = {"Content-Type": "application/json"}
        answer = client.post("/v1/datasets", content=pieces(), headers=headers)
    assert answer.status_code == 413
    _is_problem(answer)


def test_a_body_that_is_no_json_is_not_guessed_at(tenant: Tenant) -> None:
    with tenant.client() as client:
        answer = client.post("/v1/datasets", data={"name": "form"})
    assert answer.status_code == 415
    _is_problem(answer)


def test_unknown_routes_methods_and_parameters_are_told(tenant: Tenant, dataset: str) -> None:
    with tenant.client() as client:
        answers = [
            client.get("/v1/nothing"),
            client.delete("/v1/datasets"),
            client.get("/v1/datasets", params={"filter": "x"}),
            client.get("/v1/datasets/not-a-uuid"),
            client.get(f"/v1/datasets/{dataset}/"),
            client.post(f"/v1/jobs/{dataset}:hurry"),
            client.post(f"/v1/jobs/{dataset}:cancel", json={"hard": True}),
        ]
    assert [answer.status_code for answer in answers] == [404, 405, 422, 404, 404, 405, 422]
    for answer in answers:
        _is_problem(answer)
    assert answers[2].json()["errors"] == [
        {
            "code": "UNKNOWN_PARAMETER",
            "detail": "There is no filter.",
            "pointer": "/query/filter",
        }
    ]


@pytest.mark.parametrize(
    "token",
    ["x", "e30", "W10", "WzFd", "WyIxIl0", "bm90IGpzb24", "é", "WyJcdWQ4MDAiLCJcdWQ4MDAiXQ"],
)
def test_a_page_token_of_nobodys_is_refused(tenant: Tenant, dataset: str, token: str) -> None:
    with tenant.client() as client:
        for path in ("/v1/datasets", "/v1/jobs", "/v1/models"):
            answer = client.get(path, params={"page_token": token})
            assert answer.status_code == 422, answer.text
            assert answer.json()["code"] == "INVALID_PAGE_TOKEN"
        beyond = base64.urlsafe_b64encode(b'["%d"]' % 2**63).decode().rstrip("=")
        answer = client.get(f"/v1/datasets/{dataset}/interactions", params={"page_token": beyond})
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_PAGE_TOKEN")
        for size in ("0", "-1", "x", "9" * 40):
            answer = client.get("/v1/datasets", params={"page_size": size})
            assert answer.status_code in {200, 422}


def test_a_request_carries_its_id_through_and_gets_one_otherwise(tenant: Tenant) -> None:
    with tenant.client() as client:
        named = client.get("/v1/nothing", headers={"X-Request-Id": "my-request.1"})
        unnamed = client.get("/v1/nothing")
        odd = client.get("/v1/nothing", headers={"X-Request-Id": "a b\tc"})
    assert named.headers["x-request-id"] == named.json()["request_id"] == "my-request.1"
    assert len(unnamed.headers["x-request-id"]) == 36
    assert odd.headers["x-request-id"] != "a b\tc"


def test_ids_of_people_stay_out_of_the_log(tenant: Tenant, api: Api, dataset: str) -> None:
    path = f"/v1/datasets/{dataset}"
    with capture_logs() as lines, api.as_(None) as nobody, tenant.client() as somebody:
        nobody.get(f"{path}/recommendations/alice")  # answered at the door
        somebody.get(f"{path}/recommendations/alice")  # before any routing
        somebody.get(f"{path}/users/alice")
        somebody.get(f"{path}/users/alice/friends")  # by no route
        # a line is written when the answer has left: its reader may be faster
        until(lambda: len(_requests(lines)) >= 4, what="the lines of four requests")
    logged = [line["path"] for line in _requests(lines)]
    listed, kept = (
        f"/v1/datasets/{{dataset}}/{n}/{{user_id}}" for n in ("recommendations", "users")
    )
    assert logged == [f"{path}/recommendations", listed, kept, f"{path}/users"]
    assert "alice" not in str(lines)


def _requests(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [line for line in lines if line["event"] == "request"]


def _is_problem(answer: httpx.Response) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {
        "type",
        "title",
        "status",
        "code",
        "detail",
        "request_id",
        "errors",
    }
    assert body["status"] == answer.status_code
    assert body["code"].isupper()
    assert "Traceback" not in answer.text
    assert "psycopg" not in answer.text


def _raw(api: Api, line: str, key: str) -> tuple[int, bytes]:
    address = urlsplit(api.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as wire:
        head = f"{line}\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        wire.sendall(head.encode())
        answer = b""
        while piece := wire.recv(65536):
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]


def test_a_refusal_says_what_would_be_right(api: Api, tenant: Tenant) -> None:
    with api.as_(None) as nobody, tenant.client("write") as client:
        assert "`Authorization: Bearer wn_…`" in nobody.get("/v1/models").json()["detail"]
        root = client.get("/")
        assert (root.status_code, "/docs" in root.json()["detail"]) == (404, True)
        array = client.post("/v1/datasets", json=[])
        assert (array.status_code, array.json()["detail"]) == (422, "body: must be a JSON object")
        unknown = client.post("/v1/datasets", json={"name": "n", "nome": "n"})
        assert "there is no such field; known are name, settings" in unknown.json()["detail"]
