"""The api on a real socket, on a database of the test file's own; keys of two projects."""

import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from services.api.main import create_routes, wrap
from services.shared.artifacts import ArtifactStore
from services.shared.db.session import engine
from services.shared.settings import settings
from tests.databases import Database

NO_TLS = ssl.create_default_context()  # made once: httpx would make one per client
OPERATOR_KEY = "operator-of-a-test-0123456789abcdef"


@dataclass
class Api:
    """A running api and what a test needs to speak to it."""

    url: str
    routes: FastAPI
    store: ArtifactStore
    made: int = field(default=0)

    def as_(self, key: str | None) -> httpx.Client:
        """Return a client that shows `key`, or none."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=30, trust_env=False, verify=NO_TLS
        )

    def operator(self) -> httpx.Client:
        """Return the operator's client."""
        return self.as_(OPERATOR_KEY)

    def project(self) -> "Tenant":
        """Return a new project with a key of each role."""
        self.made += 1
        with self.operator() as operator:
            project = _ok(operator.post("/v1/projects", json={"name": f"project {self.made}"}))
            keys = {
                role: _ok(
                    operator.post(
                        "/v1/keys", json={"project_id": project["id"], "name": role, "role": role}
                    )
                )["key"]
                for role in ("admin", "write", "read")
            }
        return Tenant(self, UUID(project["id"]), keys)


@dataclass
class Tenant:
    """A project and its keys by role."""

    api: Api
    id: UUID
    keys: dict[str, str]

    def client(self, role: str = "write") -> httpx.Client:
        """Return a client with the key of that role."""
        return self.api.as_(self.keys[role])

    def dataset(self, name: str = "shop", **settings_: object) -> str:
        """Return the id of a new dataset."""
        with self.client() as client:
            body = {"name": name, "settings": settings_}
            return str(_ok(client.post("/v1/datasets", json=body))["id"])


def _ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, answer.text
    return dict(answer.json())


@pytest.fixture(scope="module")
def api(
    database: Database, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """One running api per test file."""
    folder = tmp_path_factory.mktemp("api")
    patch = pytest.MonkeyPatch()
    for name, value in _environment(database, valkey_url, folder).items():
        patch.setenv(f"WINNOW_{name}", value)
    settings.cache_clear()
    engine.cache_clear()
    settings()  # read now: each test's end clears the environment
    routes = create_routes()
    with _serving(routes) as url:
        yield Api(url, routes, ArtifactStore(settings().artifacts_url))
    engine("database_url").dispose()
    engine.cache_clear()
    settings.cache_clear()
    patch.undo()


@pytest.fixture(scope="module")
def tenant(api: Api) -> Tenant:
    """A project of this test file."""
    return api.project()


def _environment(database: Database, valkey_url: str, folder: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database.app_url,
        "REDIS_URL": valkey_url,
        "ARTIFACTS_URL": f"file://{folder}/artifacts",
        "SPOOL_DIR": str(folder),
        "OPERATOR_KEY": OPERATOR_KEY,
        "LLM__BASE_URL": "http://127.0.0.1:9/v1",
        "LLM__MODEL": "winnow-local-rater",
        "EMBEDDER__BASE_URL": "http://127.0.0.1:9/v1",
        "EMBEDDER__MODEL": "winnow-local-encoder",
        "LIMITS__BODY_BYTES": str(256 * 1024),
        "LIMITS__TEXT_CHARS": "1000",
    }


class _serving:  # noqa: N801 - read as a with block
    """Serve on a free port of the loopback within a with block; the value is the URL."""

    def __init__(self, routes: FastAPI) -> None:
        config = uvicorn.Config(
            wrap(routes),
            host="127.0.0.1",
            port=0,
            ws="none",
            loop="asyncio",
            log_config=None,
            access_log=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        until = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < until, "the api did not start"
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
