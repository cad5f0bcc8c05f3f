"""Trainer and llm_worker in this process, on their own database, with the local endpoint."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from services.local_llm.app import create_app
from services.local_llm.encoder import load_encoder
from services.local_llm.faults import Faults, parse_plan
from services.shared.db.session import unit_of_work
from tests.databases import Database
from tests.llm_worker.conftest import forget
from tests.local_llm.conftest import KEY, running
from tests.pipeline.line import Line


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of the local endpoint, with the encoder that this installation has."""
    with running(create_app(KEY, load_encoder(), Faults(parse_plan("")))) as url:
        yield url.removeprefix("http://")


@pytest.fixture
def line(
    database: Database,
    valkey_url: str,
    endpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Line]:
    """An empty database and a line of stages that end there."""
    values = {
        "DATABASE_URL": database.app_url,
        "OWNER_DATABASE_URL": database.owner_url,
        "REDIS_URL": valkey_url,
        "ARTIFACTS_URL": (tmp_path / "artifacts").as_uri(),
        "SPOOL_DIR": str(tmp_path / "spool"),
        "DEVICE": "cpu",
        "LIST_LENGTH": "10",
        "OUTGOING_ALLOW": endpoint,
        "LLM__MODEL": "winnow-local-rater",
        "EMBEDDER__MODEL": "winnow-local-encoder",
    }
    for name in ("LLM", "EMBEDDER"):
        values |= {f"{name}__BASE_URL": f"http://{endpoint}/v1", f"{name}__API_KEY": KEY}
    for name, value in values.items():
        monkeypatch.setenv(f"WINNOW_{name}", value)
    forget()
    with unit_of_work(setting="owner_database_url") as session:
        session.execute(text("TRUNCATE projects CASCADE"))
    yield Line.open()
    forget()
