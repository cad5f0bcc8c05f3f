"""An image as far as it can be made without an engine: a folder in which its lines were run.

COPY puts the named files there and no others; RUN lines are run as they stand, but for three
things: a path such as /venv lies below the folder, torch's own line is not run (this
environment's torch is linked in its place: a gigabyte a test run is too much), and the line that
makes the user is left out, since it would make one on this machine.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.containers.dockerfile import IMAGES, ROOT, Stage, ignored, stages

PATHS = re.compile(r"(?<![\w.}])/(build|venv|torch|app|tmp|var/lib/winnow)(?=[/\"\s:]|$)")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
NO_INDEX = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|name resolution|not known"
)
SECONDS = 900  # an install line's patience: the machine may be busy with other things

CONFINE = """
while [ "$1" != -- ]; do mount --bind "$1" "$1" || exit 125; shift; done
shift
mount -o remount,bind,ro / && exec "$@"
"""


@dataclass(frozen=True)
class Built:
    """The last stage's files, and how its processes are started."""

    name: str
    root: Path
    stage: Stage

    @property
    def app(self) -> Path:
        """Return WORKDIR."""
        return Path(self.here(self.stage.last("WORKDIR")))

    @property
    def environment(self) -> dict[str, str]:
        """Return ENV as a process sees it: nothing of this machine's own."""
        env = {"PATH": SYSTEM_PATH}
        for name, value in self.stage.environment.items():
            env[name] = self.here(value).replace("$PATH", SYSTEM_PATH)
        return env

    def here(self, text: str) -> str:
        """Return a text with the image's paths below our folder."""
        return _here(text, self.root)

    def popen(
        self, words: list[str], env: Mapping[str, str], *, log: Path | None = None
    ) -> "subprocess.Popen[str]":
        """Start words in the image: read-only, as no root, its own environment and `env`."""
        command = [*confinement(self.writable), *(self.here(word) for word in words)]
        with (log or Path(os.devnull)).open("a", encoding="utf-8") as said:
            return subprocess.Popen(
                command,
                cwd=self.app,
                env={**self.environment, **env},
                stdin=subprocess.DEVNULL,
                stdout=said if log else subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def run(self, words: list[str], env: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run words in the image; return the exit code and what was said."""
        with self.popen(words, env or {}) as process:
            said = process.communicate(timeout=SECONDS)[0]
        return process.returncode, said

    @property
    def volumes(self) -> list[str]:
        """Return the folders that the image makes for volumes."""
        made = self.stage.last("RUN").partition("install -d -o winnow -g winnow")[2]
        return [word for word in made.split() if word.startswith("/")]

    @property
    def writable(self) -> list[Path]:
        """Return /tmp and the volumes, made for this image."""
        folders = [Path(self.here(folder)) for folder in ("/tmp", *self.volumes)]  # noqa: S108 - a mount
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        return folders


def build(name: str, folder: Path) -> Built:
    """Run a Dockerfile's stages in a folder and return the last one, read-only."""
    roots: dict[str, Path] = {}
    found = stages(IMAGES[name])
    for stage in found:
        root = roots[stage.name] = folder / (stage.name or "image")
        root.mkdir(parents=True)
        for word, rest in stage.lines:
            if word == "COPY":
                _copy(rest, root, roots)
            elif word == "RUN" and not rest.startswith("groupadd"):
                _run(rest, root, stage)
    made = Built(name, roots[""], found[-1])
    _chmod(made.root, add=0)
    return made


def remove(folder: Path) -> None:
    """Remove what was built in a folder."""
    _chmod(folder, add=0o200)
    shutil.rmtree(folder)


def confinement(writable: list[Path]) -> list[str]:
    """Return the words before a command that make all else read-only, as far as we may here."""
    if os.geteuid() != 0:
        return []  # no root is no root: the folders have lost their w
    user = ["unshare", "--user", "--map-user=10001", "--map-group=10001", "--"]
    if _works("mount"):
        mounts = ["sh", "-c", CONFINE, "sh", *map(str, writable), "--"]
        return ["unshare", "--mount", "--", *mounts, *user]
    if _works("user"):
        return user
    pytest.skip("root, and neither a mount nor a user namespace: nothing here can be read-only")


@lru_cache
def _works(kind: str) -> bool:
    remount = ["mount", "-o", "remount,bind,ro", "/"] if kind == "mount" else ["true"]
    try:
        done = subprocess.run(
            ["unshare", f"--{kind}", "--", *remount],  # noqa: S607 - wherever util-linux lies
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        return False
    return done.returncode == 0


def _copy(rest: str, root: Path, roots: Mapping[str, Path]) -> None:
    words = rest.split()
    if words[0].startswith("--from="):
        source, target = words[1:]
        target_path = root / target.strip("/")
        target_path.parent.mkdir(parents=True, exist_ok=True)
        (roots[words[0].removeprefix("--from=")] / source.strip("/")).rename(target_path)
        return
    for source in words[:-1]:
        target_path = root / words[-1].strip("/")
        assert not ignored(source), f"{source} is never sent to the builder"
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target_path, ignore=_ignored)
        else:
            target_path.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, target_path)


def _ignored(folder: str, names: list[str]) -> list[str]:
    where = Path(folder).relative_to(ROOT)
    return [name for name in names if ignored(str(where / name))]


def _run(line: str, root: Path, stage: Stage) -> None:
    if "torch==" in line:
        _link_torch(root / "torch")
        return
    base = root.parent / "base"
    _base_python(base)
    env = {**_inherited(), "PATH": f"{base}:{SYSTEM_PATH}"}
    env |= dict(argument.split("=", 1) for argument in stage.all("ARG"))
    done = subprocess.run(
        ["/bin/sh", "-ec", _here(line, root)],
        env=env,
        cwd=root,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode != 0 and NO_INDEX.search(done.stderr):
        pytest.skip("no package index can be reached: what the images install is not known here")
    assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def _base_python(base: Path) -> None:
    """Put the base image's `python` on the path: this one, with the pip that it has."""
    base.mkdir(exist_ok=True)
    program = base / "python"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)


def _link_torch(prefix: Path) -> None:
    spec = find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    there = Path(spec.origin).parent.parent
    (here,) = prefix.glob("lib/python3*/site-packages")
    for found in [*there.glob("torch*"), *there.glob("functorch*")]:
        (here / found.name).symlink_to(found)


def _here(text: str, root: Path) -> str:
    return PATHS.sub(lambda match: f"{root}/{match[1]}", text).replace("python3.11", PYTHON)


def _inherited() -> dict[str, str]:
    # pip's own configuration of this machine: its index, its certificates
    dropped = ("WINNOW_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}  # noqa: TID251 - a child's environment


def _chmod(root: Path, *, add: int) -> None:
    """Take or give the w of every file and folder, links left alone."""
    for folder, _, names in os.walk(root):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            if not path.is_symlink():
                with suppress(FileNotFoundError):
                    path.chmod(path.stat().st_mode & 0o7555 | add)
