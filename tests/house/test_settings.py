"""Every setting has its line, and no secret has a default."""

import subprocess
import sys
from pathlib import Path

import pytest
from annotated_types import Le
from pydantic import BaseModel

from services.shared.scoring import MAX_K
from services.shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SECRET_WORDS = ("key", "secret", "password", "token", "database_url", "redis_url")


def test_the_example_lists_every_setting_as_it_is() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/env_example.py", "--check"], cwd=ROOT, check=False
    )
    assert done.returncode == 0, "python scripts/env_example.py > .env.example"


def test_a_line_of_the_example_that_nobody_filled_in_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = Settings()
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    empty = [line[:-1] for line in lines if line.startswith("WINNOW_") and line.endswith("=")]
    assert len(empty) >= 15
    for name in empty:
        monkeypatch.setenv(name, "")
    assert Settings() == before


def test_a_published_list_is_no_longer_than_the_scorer_may_be_asked_for() -> None:
    rules = Settings.model_fields["list_length"].metadata
    assert [rule.le for rule in rules if isinstance(rule, Le)] == [MAX_K]


def test_no_secret_has_a_default() -> None:
    secrets = {
        f"{where}{name}": value for where, name, value in _all(Settings()) if _is_secret(name)
    }
    assert len(secrets) >= 9
    assert set(secrets.values()) == {None}


def _all(model: BaseModel, where: str = "") -> list[tuple[str, str, object]]:
    found: list[tuple[str, str, object]] = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            found += _all(value, f"{where}{name}.")
        else:
            found.append((where, name, value))
    return found


def _is_secret(name: str) -> bool:
    return any(name.endswith(word) for word in SECRET_WORDS)
