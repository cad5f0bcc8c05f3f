"""A full disk is recognised, named by its setting, and leaves no half artefact behind."""

import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from services.shared import disk
from services.shared.errors import DiskFullError, InvalidError
from services.shared.settings import settings

ROOT = Path(__file__).parents[2]
TINY = 'mount -t tmpfs -o size=256k tmpfs "$0" && exec "$@"'
IN_A_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", TINY)


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """Let this process write no file larger than `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Settings with a store and a spool below one folder."""
    monkeypatch.setenv("WINNOW_ARTIFACTS_URL", (tmp_path / "artifacts").as_uri())
    monkeypatch.setenv("WINNOW_SPOOL_DIR", str(tmp_path / "spool"))
    monkeypatch.setenv("WINNOW_DISK_ROOM_BYTES", "100000")
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `tiny_disk` tells, whose artefacts and uploads lie on a file system of 256 KiB."""
    folder = tmp_path_factory.mktemp("tiny")
    tried = subprocess.run([*IN_A_NAMESPACE, str(folder), "true"], check=False, timeout=60)
    if tried.returncode:
        pytest.skip("this kernel gives no mount namespace to an ordinary user")
    environment = {
        **os.environ,  # noqa: TID251 - a child's environment
        "WINNOW_ARTIFACTS_URL": folder.as_uri(),
        "WINNOW_SPOOL_DIR": str(tmp_path_factory.mktemp("roomy")),
        "WINNOW_DISK_ROOM_BYTES": "100000",
    }
    command = [*IN_A_NAMESPACE, str(folder), sys.executable, "-m", "tests.shared.tiny_disk"]
    run = subprocess.run(
        [*command, str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr.decode()
    return dict(json.loads(run.stdout))


@pytest.mark.parametrize("writer", ["bytes", "parquet", "csv", "tensors"])
def test_no_half_artefact_is_left_whatever_library_met_the_full_disk(
    seen: dict[str, Any], writer: str
) -> None:
    told = seen[writer]
    assert told["left"] == []
    assert "the disk of WINNOW_ARTIFACTS_URL;" in told["detail"]
    assert told["needs"] >= 100_000


def test_an_upload_that_found_no_room_leaves_nothing_and_names_the_setting(
    seen: dict[str, Any],
) -> None:
    assert "(WINNOW_SPOOL_DIR)" in seen["upload"]["detail"]
    assert seen["upload"]["left"] == []


def test_there_is_room_again_when_something_else_has_gone(seen: dict[str, Any]) -> None:
    assert "WINNOW_ARTIFACTS_URL" in seen["short"]
    assert seen["small"]["left"] == ["ballast"]
    assert seen["roomy"] is None
    assert seen["after"] == {"published": True}


def test_a_full_device_is_recognised_behind_other_errors() -> None:
    with pytest.raises(OSError, match="No space left") as caught, Path("/dev/full").open("wb") as f:
        f.write(b"x" * 100_000)
    assert disk.is_full(caught.value)
    wrapped = RuntimeError("could not save")
    wrapped.__cause__ = caught.value
    assert disk.is_full(wrapped)
    assert disk.is_full(RuntimeError('Io(Os { code: 28, message: "No space left on device" })'))
    assert disk.is_full(OSError(errno.EDQUOT, "quota"))


def test_what_is_no_full_disk_of_ours_is_not_taken_for_one() -> None:
    assert not disk.is_full(OSError(errno.EACCES, "denied"))
    assert not disk.is_full(InvalidError("'no space left on device' is no title"))  # a caller's
    of_postgres = OSError(errno.ENOSPC, "could not extend file")
    assert not disk.is_full(OperationalError("INSERT", {}, of_postgres))


def test_room_is_found_by_trying_and_the_try_leaves_nothing(folders: Path) -> None:
    assert disk.shortage(100_000) is None
    with _files_of_at_most(50_000):
        short = disk.shortage(100_000)
    assert short is not None
    assert "WINNOW_SPOOL_DIR and WINNOW_ARTIFACTS_URL" in short.detail
    assert [path for path in folders.rglob("*") if path.is_file()] == []


def test_what_was_written_before_the_disk_was_full_must_find_room_as_well(folders: Path) -> None:
    draft = folders / "draft"
    (draft / "deep").mkdir(parents=True)
    (draft / "deep" / "file").write_bytes(b"x" * 5_000)
    with pytest.raises(DiskFullError) as caught, disk.named(draft):
        raise OSError(errno.ENOSPC, "")
    assert caught.value.needs == 105_000


def test_another_error_passes_unchanged(folders: Path) -> None:
    assert folders.is_dir()
    with pytest.raises(ValueError, match="mine"), disk.named():
        raise ValueError("mine")
