"""Runs tests on copies of the tree, a process for each mutant, forked from one that knows torch.

The parent imports the libraries and nothing of ours, so that a child reads the copy's code anew.
"""

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from tests.mutants.mutant import ROOT, Mutant

ROOMS = ("services", "winnow", "migrations", "tests", "clients")
LIBRARIES = (
    *("torch._dynamo", "scipy.sparse.linalg", "scipy.stats", "safetensors.torch", "polars"),
    *("sqlalchemy", "alembic", "psycopg", "pydantic_settings", "hypothesis.strategies"),
    "_hypothesis_pytestplugin",
)
WORDS = (
    *("-x", "-q", "--hypothesis-seed=0", "-p", "no:cacheprovider", "-p", "no:xdist"),
    # libraries that the parent has read are not read again to rewrite their asserts
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
PATIENCE = 300  # seconds; a test that never ends has noticed, too


@dataclass(frozen=True)
class Outcome:
    """What the tests said; `failed` is empty where they all passed."""

    mutant: Mutant | None  # None: the tests on the code as it is
    failed: str  # the first test that failed
    broken: str = ""  # why no test could run


class Recorder:
    """Remembers the first failure that pytest reports."""

    failed = ""
    broken = ""
    passed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.passed += report.when == "call" and report.passed
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.broken:
            self.broken = f"{report.nodeid} cannot be collected"


def copies(folder: Path, number: int) -> list[Path]:
    """Copy the tree, once for each process that runs beside the others."""
    trees = [folder / str(at) for at in range(number)]
    for tree in trees:
        tree.mkdir()
        shutil.copy(ROOT / "pyproject.toml", tree)
        for room in ROOMS:
            shutil.copytree(ROOT / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    return trees


def outcomes(
    jobs: Iterable[tuple[Mutant | None, tuple[str, ...]]], trees: list[Path]
) -> Iterator[Outcome]:
    """Run each job's tests with its mutant in one of the trees; outcomes as they come."""
    for library in LIBRARIES:
        __import__(library)
    waiting, free, running = list(jobs)[::-1], list(trees), dict[int, "_Child"]()
    while waiting or running:
        while waiting and free:
            child = _Child.born(*waiting.pop(), tree=free.pop())
            running[child.pid] = child
        time.sleep(0.02)
        for pid, child in list(running.items()):
            if (outcome := child.outcome()) is not None:
                del running[pid]
                free.append(child.tree)
                yield outcome


@dataclass(frozen=True)
class _Child:
    pid: int
    mutant: Mutant | None
    tree: Path
    born_at: float

    @classmethod
    def born(cls, mutant: Mutant | None, tests: tuple[str, ...], *, tree: Path) -> "_Child":
        """Plant the mutant and fork."""
        if mutant is not None:
            path = tree / mutant.file
            path.write_text(mutant.planted(path.read_text(encoding="utf-8")), encoding="utf-8")
        pid = os.fork()
        if pid == 0:
            try:
                _live(tree, tests)
            except BaseException:  # noqa: BLE001 - whatever it is, it goes to the log
                traceback.print_exc()
            finally:
                os._exit(1)  # the parent's folders are not the child's to tidy up
        return cls(pid, mutant, tree, time.monotonic())

    def outcome(self) -> Outcome | None:
        """Return what came of it and uproot the mutant; None while it runs."""
        late = time.monotonic() - self.born_at > PATIENCE
        if late:
            os.kill(self.pid, signal.SIGKILL)
        if os.waitpid(self.pid, 0 if late else os.WNOHANG)[0] == 0:
            return None
        if self.mutant is not None:
            shutil.copy(ROOT / self.mutant.file, self.tree / self.mutant.file)
        said = self.tree / "said.json"
        if late or not said.exists():
            last = (self.tree / "log").read_text(encoding="utf-8").strip().rpartition("\n")[2]
            return Outcome(self.mutant, "", "did not end" if late else f"died: {last}")
        told = json.loads(said.read_text(encoding="utf-8"))
        said.unlink()
        return Outcome(self.mutant, told["failed"], told["broken"])


def _live(tree: Path, tests: tuple[str, ...]) -> None:
    """Run the tests in the tree and tell what they said."""
    said = os.open(tree / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.chdir(tree)
    sys.path[:] = [str(tree), *(path for path in sys.path if Path(path or ".").resolve() != ROOT)]
    sys.dont_write_bytecode = True  # a mutant may be as old and as long as what it replaces
    for name in [name for name in sys.modules if name.partition(".")[0] in ROOMS]:
        del sys.modules[name]
    recorder = Recorder()
    settings.register_profile("mutants", deadline=None)
    settings.load_profile("mutants")
    pytest.main([*WORDS, f"--confcutdir={Path(tests[0]).parent}", *tests], plugins=[recorder])
    broken = recorder.broken or ("" if recorder.passed or recorder.failed else "no test ran")
    told = {"failed": recorder.failed, "broken": broken}
    (tree / "said.json").write_text(json.dumps(told), encoding="utf-8")
