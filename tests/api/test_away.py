"""While Postgres is away the api says so, at once and to every route, and lives on."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from services.api.main import create_routes, wrap
from services.shared.db.session import engine
from services.shared.settings import settings
from tests.api.conftest import OPERATOR_KEY

KEY = f"wn_{'0' * 12}_{'0' * 64}"


@pytest.fixture
def get(monkeypatch: pytest.MonkeyPatch, free_port: int) -> Iterator[object]:
    """A function that asks an api whose database nobody serves."""
    url = f"postgresql+psycopg://winnow_app:x@127.0.0.1:{free_port}/x"
    monkeypatch.setenv("WINNOW_DATABASE_URL", url)
    monkeypatch.setenv("WINNOW_REDIS_URL", f"redis://127.0.0.1:{free_port}/0")
    monkeypatch.setenv("WINNOW_OPERATOR_KEY", OPERATOR_KEY)
    settings.cache_clear()
    engine.cache_clear()
    yield lambda path, key: asyncio.run(_get(path, key))
    settings.cache_clear()
    engine.cache_clear()


async def _get(path: str, key: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=wrap(create_routes()))
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/v1/datasets", KEY),
        ("/v1/datasets/01890a5d-ac96-774b-bcce-b302099a8057/recommendations/u", KEY),
        ("/v1/keys?project_id=01890a5d-ac96-774b-bcce-b302099a8057", OPERATOR_KEY),
    ],
)
def test_a_route_answers_503_and_says_when_to_come_back(get: object, path: str, key: str) -> None:
    answer = get(path, key)  # type: ignore[operator]
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["code"] == "UNAVAILABLE"
    assert "127.0.0.1" not in answer.text


def test_it_lives_but_is_not_ready(get: object) -> None:
    assert get("/health/live", KEY).status_code == 200  # type: ignore[operator]
    ready = get("/health/ready", KEY)  # type: ignore[operator]
    assert ready.status_code == 503
    assert ready.headers["retry-after"] == "5"
    found = ready.json()["dependencies"]
    named = "postgres", "lists", "valkey", "llm", "scorer"
    assert {name: found[name]["status"] for name in named} == {
        "postgres": "away",
        "lists": "ok",
        "valkey": "away",
        "llm": "not configured",
        "scorer": "not configured",
    }
    assert "127.0.0.1" not in ready.text
