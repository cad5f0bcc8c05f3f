"""What the tests of the benches share."""

from pathlib import Path

import pytest

from tests.trainer_bench import folder as folders


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published split of two tastes, with a text for everybody."""
    return folders.write(tmp_path_factory.mktemp("split"))
