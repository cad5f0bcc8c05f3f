"""make, the script and the continuous integration offer the same commands, and say no clearly."""

import json
import re
import subprocess
import sys
from pathlib import Path

from scripts import dev
from scripts.install import LOCKS, Install
from scripts.locks import APART, IMAGES

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "dev.py"
PROMISED = {"setup", "demo", "test", "check", "soak", "mutants", "bench", "migrate"}


def test_make_and_the_script_offer_the_promised_commands() -> None:
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None
    assert set(targets[1].split()) == dev.COMMANDS.keys() == PROMISED


def test_continuous_integration_runs_test_and_check() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^run (\w+)", text, re.MULTILINE) == ["test", "check"]


def test_an_unknown_command_lists_the_known_ones_and_installs_nothing() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "fly"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert set(done.stderr.replace("|", " ").split()) >= PROMISED


def test_every_lock_that_is_installed_exists() -> None:
    names = {name for locks in LOCKS.values() for name in locks} | {"encoder", *IMAGES, *APART}
    assert {path.stem for path in (ROOT / "requirements").glob("*.lock")} == names


def test_a_demo_on_real_data_gets_the_peers_library_and_no_linters(tmp_path: Path) -> None:
    install = Install(tmp_path, "data")
    for folder in (".venv", "requirements"):
        (tmp_path / folder).mkdir()
    dev = tmp_path / "requirements" / "dev.lock"
    dev.write_text("ruff==1\n", encoding="utf-8")
    assert [lock.stem for lock in install._locks()] == ["main", "bench", "encoder"]
    install._stamp_file.write_text(json.dumps({dev.name: install._digest(dev)}), encoding="utf-8")
    assert [lock.stem for lock in install._locks()] == ["dev", "bench", "encoder"]
