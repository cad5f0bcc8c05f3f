"""The project's own environment, .venv: torch first and alone, the locked rest with hashes.

Only the standard library. Each step is skipped when a stamp says that it was done with the very
same lock file, so that a second call takes a fraction of a second.
"""

import fcntl
import hashlib
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

TORCH = "2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
LOCKS = {
    "demo": ("main",),
    "data": ("main", "bench"),  # a demo on real data shows iALS too
    "dev": ("dev",),
    "bench": ("dev", "bench"),
}
SILENCE = ("--disable-pip-version-check", "--no-input", "--quiet", "--no-warn-script-location")


@dataclass(frozen=True)
class Install:
    """One environment and the purpose that it shall fit: one of LOCKS."""

    root: Path
    purpose: str

    def run(self) -> Path:
        """Install what is missing; return the environment's Python. Exits with a sentence."""
        self._folder.mkdir(exist_ok=True)
        with self._alone():
            if not self._python.exists():
                self._step("making .venv", self._make)
            if not self._has_torch():
                size = "about 200 MB; several GB where only the CUDA build is to be had"
                self._step(f"installing torch {TORCH} ({size})", self._torch)
            for lock in self._locks():
                self._stamped(lock, partial(self._locked, lock))
            self._stamped(self.root / "pyproject.toml", self._project)
        return self._python

    @property
    def _folder(self) -> Path:
        return self.root / ".venv"

    @property
    def _python(self) -> Path:
        return self._folder / "bin" / "python"

    @property
    def _log(self) -> Path:
        return self._folder / "install.log"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let a second setup wait for the first; the kernel frees the lock if we die."""
        with (self._folder / "install.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make(self) -> None:
        if importlib.util.find_spec("venv") is None:
            sys.exit("This Python lacks the module venv: on Debian, `apt install python3-venv`.")
        bare = [] if importlib.util.find_spec("ensurepip") else ["--without-pip"]
        self._must(self._call([sys.executable, "-m", "venv", *bare, str(self._folder)]))

    def _has_torch(self) -> bool:
        found = list(self._folder.glob(f"lib/python3*/site-packages/torch-{TORCH}*.dist-info"))
        return bool(found)

    def _torch(self) -> None:
        """Take the wheel that pip is configured with, else PyTorch's for CPUs, else the usual."""
        name = f"torch=={TORCH}"
        for source in (["--no-index"], ["--index-url", CPU_INDEX, "--retries", "1"]):
            if self._pip("--no-deps", *source, name) == 0:
                return
        print("  no CPU build is to be had: taking the usual one, with its CUDA packages")
        self._must(self._pip(name))

    def _locks(self) -> list[Path]:
        folder = self.root / "requirements"
        # dev.lock holds all of main.lock: a developer's environment needs no second look.
        main = "dev" if self._is_stamped(folder / "dev.lock") else "main"
        names = [main if name == "main" else name for name in LOCKS[self.purpose]]
        return [folder / f"{name}.lock" for name in (*names, "encoder")]

    def _locked(self, lock: Path) -> None:
        # A lock is complete: no resolver may widen it, least of all towards CUDA packages.
        self._must(self._pip("--no-deps", "--require-hashes", "-r", str(lock)))

    def _project(self) -> None:
        self._must(self._pip("--no-deps", "--no-build-isolation", "-e", str(self.root)))
        packages = next(self._folder.glob("lib/python3*/site-packages"))
        client = self.root / "clients" / "python"
        (packages / "winnow_client.pth").write_text(f"{client}\n", encoding="utf-8")

    def _stamped(self, path: Path, action: Callable[[], None]) -> None:
        """Run the action unless it was done for this very content of the file."""
        if not self._is_stamped(path):
            self._step(f"installing what {path.relative_to(self.root)} names", action)
            stamps = {**self._stamps(), path.name: self._digest(path)}
            self._stamp_file.write_text(json.dumps(stamps), encoding="utf-8")

    def _is_stamped(self, path: Path) -> bool:
        return self._stamps().get(path.name) == self._digest(path)

    def _digest(self, path: Path) -> str:
        # With the root: a checkout that was moved has to be linked anew.
        return hashlib.sha256(path.read_bytes() + str(self.root).encode()).hexdigest()

    @property
    def _stamp_file(self) -> Path:
        return self._folder / "install.json"

    def _stamps(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._stamp_file.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def _step(self, title: str, action: Callable[[], None]) -> None:
        began = time.monotonic()
        print(f"setup: {title} ...", flush=True)
        action()
        print(f"setup: done in {time.monotonic() - began:.0f} s", flush=True)

    @cached_property
    def _pip_command(self) -> list[str]:
        if any(self._folder.glob("lib/python3*/site-packages/pip")):
            return [str(self._python), "-m", "pip"]
        if importlib.util.find_spec("pip") is None:
            sys.exit("Neither ensurepip nor pip is here: on Debian, `apt install python3-venv`.")
        return [sys.executable, "-m", "pip", "--python", str(self._python)]

    def _pip(self, *arguments: str) -> int:
        # Byte code is compiled when it is first needed: most of it never is.
        return self._call([*self._pip_command, "install", *SILENCE, "--no-compile", *arguments])

    def _call(self, command: list[str]) -> int:
        """Run a command quietly, its words kept in install.log; show now and then that we live."""
        began = time.monotonic()
        with (
            self._log.open("ab") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as child,
        ):
            while True:
                try:
                    return child.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    print(f"  still at it, {time.monotonic() - began:.0f} s", flush=True)

    def _must(self, code: int) -> None:
        if code != 0:
            last = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            quoted = "\n".join(line for line in last if "is ignored" not in line)
            sys.exit(f"The step failed; {self._log} ends:\n{quoted}")
