"""The worker on a database, a broker, a store and an endpoint of the test file's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from services.llm_worker import endpoints, snapshot
from services.shared.celery import close_sender
from services.shared.db.session import engine, unit_of_work
from services.shared.settings import settings
from tests.databases import Database
from tests.fakes.llm import FakeLlm
from tests.llm_worker.shelf import Shelf


@pytest.fixture
def llm() -> Iterator[FakeLlm]:
    """An endpoint that answers honestly until a test scripts it."""
    with FakeLlm.serving() as fake:
        yield fake


@pytest.fixture
def worker(
    database: Database,
    valkey_url: str,
    tmp_path: Path,
    llm: FakeLlm,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """Settings that point to the test's own servers; every table is empty."""
    monkeypatch.setenv("WINNOW_DATABASE_URL", database.app_url)
    monkeypatch.setenv("WINNOW_OWNER_DATABASE_URL", database.owner_url)
    monkeypatch.setenv("WINNOW_REDIS_URL", valkey_url)
    monkeypatch.setenv("WINNOW_ARTIFACTS_URL", (tmp_path / "artifacts").as_uri())
    for name in ("LLM", "EMBEDDER"):
        monkeypatch.setenv(f"WINNOW_{name}__BASE_URL", llm.url)
        monkeypatch.setenv(f"WINNOW_{name}__API_KEY", "sk-of-a-test")
        monkeypatch.setenv(f"WINNOW_{name}__IN_FLIGHT", "8")
    monkeypatch.setenv("WINNOW_OUTGOING_ALLOW", llm.address)
    monkeypatch.setenv("WINNOW_BATCH_PAIRS", "20")
    forget()
    with unit_of_work(setting="owner_database_url") as session:
        session.execute(text("TRUNCATE projects CASCADE"))
    yield tmp_path
    for setting in ("database_url", "owner_database_url"):
        engine(setting).dispose()
    forget()


def forget() -> None:
    """Let settings, engines and clients be made anew."""
    endpoints.close()
    for made_once in (settings, engine):
        made_once.cache_clear()
    close_sender()
    snapshot._verified.cache_clear()


@pytest.fixture
def shelf(worker: Path) -> Shelf:
    """A project with a dataset, a snapshot in the store and a run whose embed is ready."""
    assert worker.exists()
    return Shelf.open()
