"""An api and an api-worker per test file, on a database and folders of their own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.api.main import create_routes
from services.shared.celery import close_sender
from services.shared.db.session import engine
from services.shared.settings import settings
from tests.databases import Database
from tests.ingest.house import Shop, running, serving

OPERATOR = "operator-of-a-test-0123456789abcdef"


@pytest.fixture(scope="module")
def place(
    database: Database, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The folder of a test file's services; this process and its children have its settings."""
    folder = tmp_path_factory.mktemp("ingest")
    patch = pytest.MonkeyPatch()
    values = {
        "DATABASE_URL": database.app_url,
        "INGEST_DATABASE_URL": database.ingest_url,
        "OWNER_DATABASE_URL": database.owner_url,
        "REDIS_URL": valkey_url,
        "ARTIFACTS_URL": (folder / "artifacts").as_uri(),
        "SPOOL_DIR": str(folder / "spool"),
        "OPERATOR_KEY": OPERATOR,
        "LEASE_SECONDS": "2",
        "SWEEP_SECONDS": "0.5",
        "LIMITS__TEXT_CHARS": "1000",
        "LIMITS__ROW_BYTES": "20000",
        "LIMITS__UPLOAD_BYTES": "50000000",
    }
    for name, value in values.items():
        patch.setenv(f"WINNOW_{name}", value)
    _forget()
    settings()
    yield folder
    for role in ("database_url", "ingest_database_url", "owner_database_url"):
        engine(role).dispose()
    patch.undo()
    _forget()


@pytest.fixture(scope="module")
def api(place: Path) -> Iterator[str]:
    """The address of a running api."""
    assert place.is_dir()
    routes = create_routes()
    with serving(routes) as url:
        yield url


@pytest.fixture(scope="module")
def worker(place: Path) -> Iterator[None]:
    """A running api-worker."""
    with running("services.api.worker", log=place / "worker.log"):
        yield


@pytest.fixture(scope="module")
def key(api: str) -> str:
    """A key that writes to a project of this test file."""
    with _client(api, OPERATOR) as http:
        project = http.post("/v1/projects", json={"name": "ingest"}).json()
        body = {"project_id": project["id"], "name": "write", "role": "write"}
        return str(http.post("/v1/keys", json=body).json()["key"])


@pytest.fixture
def shop(api: str, key: str, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A new dataset for each test."""
    with _client(api, key) as http:
        made = http.post("/v1/datasets", json={"name": request.node.name[:200]})
        assert made.status_code == 201, made.text
        yield Shop(http, made.json()["id"])


def _client(url: str, key: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False)


def _forget() -> None:
    settings.cache_clear()
    engine.cache_clear()
    close_sender()
