"""RecBole's LightGCN in an environment of its own, which the bench makes under its folder."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from services.recsys.data import Interactions
from services.trainer.bench import recbole_lightgcn
from services.trainer.bench.cells import Cell
from services.trainer.bench.levers import LAYERS, LR
from services.trainer.bench.peers import tell

TORCH = "torch==2.13.0"
ROOT = Path(__file__).parents[3]
LOCK = ROOT / "requirements" / "recbole.lock"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


class AbsentError(Exception):
    """RecBole could not be installed or run; the message is a sentence that says why."""


def measure(train: Interactions, out: Path, *, size: int, steps: int) -> Cell:
    """Time RecBole's steps; raises AbsentError where there are none."""
    folder = (out / "recbole").resolve()  # the child works in it: its paths must not be ours
    python = _environment(folder)
    pairs = folder / "pairs.npz"
    np.savez(pairs, users=train.users, items=train.items)
    settings = {"batch": size, "steps": steps, "layers": LAYERS, "lr": LR}
    tell(f"RecBole: {steps} steps")
    done = subprocess.run(  # noqa: S603 - the environment's own Python and our own file
        [python, recbole_lightgcn.__file__, pairs, folder / "data", json.dumps(settings)],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PATH": os.defpath, "OMP_NUM_THREADS": "1"},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise AbsentError(f"RecBole is installed and does not run: {last}")
    seconds = np.array(json.loads(done.stdout.splitlines()[-1]))
    median = float(np.median(seconds))
    return Cell(
        figures={"ms a step": 1000 * median, "s an epoch": median * math.ceil(len(train) / size)}
    )


def _environment(folder: Path) -> Path:
    """Return the environment's Python, made if it is not there."""
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return python
    if sys.version_info[:2] != (3, 11):
        raise AbsentError(
            "RecBole 1.2.1 asks for ray 2.6, which has no wheel for this Python: 3.11 has."
        )
    tell(f"RecBole: making an environment in {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "install.log"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", f"--log={log}"]
    sources = (["--no-index"], ["--index-url", CPU_INDEX, "--retries", "1"])
    if _fails([sys.executable, "-m", "venv", str(folder)]):
        raise AbsentError("no environment could be made: is the module venv there?")
    if all(_fails([*pip, *source, TORCH]) for source in sources):
        raise AbsentError(f"{TORCH} for CPUs could not be installed.")
    if _fails([*pip, "--require-hashes", "-r", str(LOCK)]):
        raise AbsentError(f"{LOCK.name} could not be installed: {log} says why.")
    (folder / "ready").touch()
    return python


def _fails(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode != 0  # noqa: S603 - commands of this file
