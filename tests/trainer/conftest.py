"""The trainer on a database, a broker and a store of the test file's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from services.shared.celery import close_sender
from services.shared.db.session import engine, unit_of_work
from services.shared.settings import settings
from tests.databases import Database
from tests.trainer.shop import Shop


@pytest.fixture
def trainer(
    database: Database, valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Settings that point to the test's own servers and folders; every table is empty."""
    monkeypatch.setenv("WINNOW_DATABASE_URL", database.app_url)
    monkeypatch.setenv("WINNOW_OWNER_DATABASE_URL", database.owner_url)
    monkeypatch.setenv("WINNOW_REDIS_URL", valkey_url)
    monkeypatch.setenv("WINNOW_ARTIFACTS_URL", (tmp_path / "artifacts").as_uri())
    monkeypatch.setenv("WINNOW_SPOOL_DIR", str(tmp_path / "spool"))
    monkeypatch.setenv("WINNOW_DEVICE", "cpu")
    monkeypatch.setenv("WINNOW_LIST_LENGTH", "10")
    _forget()
    with unit_of_work(setting="owner_database_url") as session:
        session.execute(text("TRUNCATE projects CASCADE"))
    yield tmp_path
    for setting in ("database_url", "owner_database_url"):
        engine(setting).dispose()
    _forget()


def _forget() -> None:
    settings.cache_clear()
    engine.cache_clear()
    close_sender()


@pytest.fixture
def shop(trainer: Path) -> Shop:
    """A project with a dataset of two tastes and some planted noise."""
    assert trainer.exists()
    return Shop.open()
