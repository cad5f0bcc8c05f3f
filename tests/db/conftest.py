"""Sessions on a database of the test file's own, as each role."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import text

from services.shared.celery import close_sender
from services.shared.db.repos import jobs, stages
from services.shared.db.session import engine, unit_of_work
from services.shared.db.tables import Dataset, Project, Run
from services.shared.ids import new_id
from services.shared.settings import settings
from tests.databases import Database


@pytest.fixture
def connected(
    database: Database, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """Point the settings at the test's database and Valkey; every table is empty."""
    monkeypatch.setenv("WINNOW_DATABASE_URL", database.app_url)
    monkeypatch.setenv("WINNOW_INGEST_DATABASE_URL", database.ingest_url)
    monkeypatch.setenv("WINNOW_OWNER_DATABASE_URL", database.owner_url)
    monkeypatch.setenv("WINNOW_REDIS_URL", valkey_url)
    settings.cache_clear()
    engine.cache_clear()
    with unit_of_work(setting="owner_database_url") as session:
        session.execute(text("TRUNCATE projects CASCADE"))
    yield database
    for setting in ("database_url", "ingest_database_url", "owner_database_url"):
        engine(setting).dispose()
    close_sender()
    engine.cache_clear()
    settings.cache_clear()


def make_project(name: str) -> UUID:
    """Return the id of a new project."""
    project_id = new_id()
    with unit_of_work(project_id) as session:
        session.add(Project(id=project_id, name=name))
    return project_id


def make_dataset(project_id: UUID) -> UUID:
    """Return the id of a new dataset of the project."""
    dataset_id = new_id()
    with unit_of_work(project_id) as session:
        session.add(Dataset(id=dataset_id, project_id=project_id, name="shop", settings={}))
    return dataset_id


def make_run(project_id: UUID, dataset_id: UUID) -> UUID:
    """Return the id of a new run whose first stage is ready."""
    run_id = new_id()
    with unit_of_work(project_id) as session:
        jobs.create(session, "run", job_id=run_id, project_id=project_id, dataset_id=dataset_id)
        session.add(
            Run(
                id=run_id,
                project_id=project_id,
                dataset_id=dataset_id,
                dataset_version=1,
                dataset_settings={},
                spec={},
                config_sha256=b"",
                seed=0,
                llm="rater",
                embedder="encoder",
                prompt_version=1,
                artifacts={},
            )
        )
        session.flush()
        stages.create_all(session, run_id=run_id, project_id=project_id)
    return run_id
