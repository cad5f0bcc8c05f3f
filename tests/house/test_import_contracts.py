"""Each import contract catches the violation it is there for, and only that one."""

import json
import shutil
import subprocess
import sys
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLANTED = "planted_by_a_test"


@dataclass(frozen=True)
class Plant:
    """An import written into a new module, or added to the end of one that exists."""

    path: str
    text: str


# By contract id. A plant makes no cycle by itself: else it would break two contracts at once.
PLANTS: dict[str, list[Plant]] = {
    "storeys": [Plant(f"services/api/{PLANTED}.py", "import services.llm_worker")],
    "recsys-is-pure": [Plant(f"services/recsys/{PLANTED}.py", "import httpx")],
    "torch-has-three-rooms": [Plant(f"services/shared/{PLANTED}.py", "import torch")],
    "light-parents": [Plant("services/trainer/tasks.py", "import torch")],
    "prompts-are-pure": [Plant("services/shared/llm/prompts", "import httpx")],
    "use-cases-without-http": [Plant(f"services/api/use_cases/{PLANTED}.py", "import fastapi")],
    "api-floors": [Plant(f"services/api/ingest/{PLANTED}.py", "import services.api.errors")],
    "recsys-floors": [
        Plant(f"services/recsys/samplers/{PLANTED}.py", "import services.recsys.evaluate")
    ],
    "db-floors": [
        Plant(f"services/shared/db/tables/{PLANTED}.py", "import services.shared.db.session")
    ],
    "command-line-over-http": [Plant(f"winnow/{PLANTED}.py", "import services.recsys")],
    "nothing-imports-tests": [Plant(f"services/shared/{PLANTED}.py", "import tests")],
    "one-paper-never-imports-another": [
        Plant("services/recsys/methods/bpr", "import services.recsys.methods.llmhni")
    ],
    "no-cycles": [
        Plant(f"services/shared/{PLANTED}.py", f"import services.shared.{PLANTED}_too"),
        Plant(f"services/shared/{PLANTED}_too.py", f"import services.shared.{PLANTED}"),
    ],
}

# Runs in the copy: plants, lints, uproots; prints the broken contracts of each round as JSON.
LINTER = """
import json, sys
from pathlib import Path
from typing import Any
from importlinter.application import use_cases
from importlinter import cli, configuration
sys.path.insert(0, ".")
configuration.configure()
options = use_cases.read_user_options("pyproject.toml")
use_cases._register_contract_types(options)

def broken():
    report = use_cases.create_report(options, cache_dir=".cache")
    return [c.name for c, check in report.get_contracts_and_checks() if not check.kept]

rounds = {"": broken()}
for name, plants in json.loads(sys.argv[1]).items():
    before = {}
    for plant in plants:
        path = Path(plant["path"])
        if not path.suffix:
            path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if not path.parent.exists():  # an optional room that is not built yet
            path.parent.mkdir()
            (path.parent / "__init__.py").touch()
        before[path] = path.read_text() if path.exists() else None
        path.write_text((before[path] or "") + "\\n" + plant["text"] + "\\n")
    rounds[name] = broken()
    for path, text in before.items():
        path.unlink() if text is None else path.write_text(text)
print("ROUNDS" + json.dumps(rounds))
"""


def listed() -> list[dict[str, Any]]:
    """Return the contracts as pyproject.toml has them."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return list(tomllib.load(file)["tool"]["importlinter"]["contracts"])


def contracts() -> dict[str, str]:
    """Return the names of the contracts by id."""
    return {contract["id"]: contract["name"] for contract in listed()}


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The names of the broken contracts, by the planted one; "" for the tree as it is."""
    copy = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for room in ("services", "winnow"):
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    plants = {name: [asdict(plant) for plant in plants] for name, plants in PLANTS.items()}
    command = [sys.executable, "-c", LINTER, json.dumps(plants)]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.rpartition("ROUNDS")[2])
    return found


def test_every_contract_has_its_plant() -> None:
    assert PLANTS.keys() == contracts().keys()


def test_the_tree_as_it_is_keeps_every_contract(rounds: dict[str, list[str]]) -> None:
    assert rounds[""] == []


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_import_breaks_its_own_contract_and_no_other(
    rounds: dict[str, list[str]], name: str
) -> None:
    assert rounds[name] == [contracts()[name]]


def test_no_import_is_excused() -> None:
    assert [contract["id"] for contract in listed() if "ignore_imports" in contract] == []


def test_every_paper_is_named_as_independent() -> None:
    independent = next(each for each in listed() if each["type"] == "independence")
    folder = ROOT / "services" / "recsys" / "methods"
    papers = {path.stem for path in folder.iterdir() if not path.name.startswith("__")}
    assert set(independent["modules"]) == {f"services.recsys.methods.{name}" for name in papers}
