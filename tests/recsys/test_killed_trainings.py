"""kill -9 at seeded moments: a training that is resumed ends with the bytes of an unbroken one."""

import json
import os
import subprocess
import sys
from pathlib import Path

from hypothesis import settings

TRIALS = 20 if settings().max_examples >= 1_000 else 4  # `make soak` tries them all


def test_a_training_killed_at_any_moment_ends_with_the_bytes_of_an_unbroken_one(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "tests.recsys.runs", str(tmp_path), str(TRIALS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)  # noqa: TID251 - handed on
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    unbroken = {line["backbone"]: line["unbroken"] for line in lines[:2]}
    trials = lines[2:]
    assert len(trials) == TRIALS
    assert {trial["backbone"] for trial in trials} == {"lightgcn", "ngcf"}
    assert [trial["digest"] for trial in trials] == [unbroken[t["backbone"]] for t in trials]
    assert sum(trial["deaths"] for trial in trials) >= TRIALS // 2  # a clock may come too late
    assert any(trial["torn"] for trial in trials)  # of them some within a write
