"""scripts/compose_env.py writes secrets once, for one pair of eyes."""

import subprocess
import sys
from pathlib import Path

from scripts import compose_env

ROOT = Path(__file__).resolve().parents[2]


def write(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", str(ROOT / "scripts" / "compose_env.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_file_is_its_owner_s_alone_and_what_is_told_holds_no_secret(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    done = write("--output", str(file))
    assert done.returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    values = [line.split("=", 1)[1] for line in file.read_text().splitlines()[1:]]
    secret = [value for value in values if len(value) == 64]
    assert len(set(secret)) == len(compose_env.PASSWORDS) + 1
    assert [value for value in secret if value in done.stdout + done.stderr] == []
    assert "docker compose up" in done.stdout


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("POSTGRES_ADMIN_PASSWORD=known to a database\n")
    done = write("--output", str(file))
    assert done.returncode == 1
    assert done.stderr == (
        f"{file} is there already and stays as it is: the databases know its passwords.\n"
    )
    assert file.read_text() == "POSTGRES_ADMIN_PASSWORD=known to a database\n"


def test_a_folder_that_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    done = write("--output", str(tmp_path / "nowhere" / ".env"))
    assert done.returncode == 1
    assert done.stderr.endswith("can not be written: No such file or directory.\n")
    assert done.stderr.count("\n") == 1


def test_two_files_share_no_secret() -> None:
    first, second = (set(compose_env.content(local=True, gpu=False)) for _ in range(2))
    assert [line for line in first & second if "=" in line and len(line) > 64] == []
