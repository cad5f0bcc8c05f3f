"""The small disks of the series fill up, and are gone when it is over."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import disks

ROOT = Path(__file__).resolve().parents[2]
TRIED = """
import shutil, sys
from pathlib import Path
from tests.faults import disks
home = Path(sys.argv[1])
home.mkdir()
with disks.mounted(home):
    still_open = (home / "spool" / "log").open("w")
    with disks.full(home / "artifacts"):
        assert shutil.disk_usage(home / "artifacts").free == 0
    assert shutil.disk_usage(home / "artifacts").free > 0
shutil.rmtree(home)
"""


def test_a_home_on_small_disks_is_removed_when_the_series_is_over(tmp_path: Path) -> None:
    prefix = disks.apart()
    if not prefix:
        pytest.skip("no mounts of our own are to be had here")
    command = [*prefix, sys.executable, "-c", TRIED, str(tmp_path / "home")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "home").exists()
