"""The stack's private folder: generated secrets, remembered ports, one command at a time."""

import errno
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from winnow.errors import HomeBusyError, HomeUnusableError, StackError

SECRETS = ("admin", "owner", "app", "ingest", "valkey", "operator", "local_llm", "scorer")


@dataclass(frozen=True)
class Home:
    """A 0700 folder that holds all the state of one stack: delete it, and nothing is left."""

    folder: Path

    def create(self) -> None:
        """Make the folder and its secrets unless they are there.

        Raises:
            StackError: the path holds something that is not ours.
            HomeUnusableError: we may not make it, or not write there.
        """
        try:
            self._create()
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise HomeUnusableError(
                f"{self.folder} can not be made or written ({error.strerror}): name a folder "
                "of your own with --home or WINNOW_HOME."
            ) from error

    def _create(self) -> None:
        marker = self.folder / "secrets.json"
        if self.folder.exists() and not marker.exists() and any(self.folder.iterdir()):
            raise StackError(f"{self.folder} holds other files: name an empty or a new folder.")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not marker.exists():
            self.folder.chmod(0o700)
        known = read_json(marker)
        missing = [name for name in SECRETS if name not in known]  # all, or what a release added
        if missing:
            write_json(marker, {**known, **{name: secrets.token_urlsafe(32) for name in missing}})
        for name in ("logs", "run", "artifacts", "spool"):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)

    @property
    def exists(self) -> bool:
        """Whether a stack was ever started here."""
        return (self.folder / "secrets.json").exists()

    def secret(self, name: str) -> str:
        """Return the generated secret `name`, one of SECRETS."""
        return str(read_json(self.folder / "secrets.json")[name])

    def ports(self) -> dict[str, int]:
        """Return the ports of the last start, by process name."""
        return {name: int(str(port)) for name, port in read_json(self._ports).items()}

    def remember_ports(self, ports: dict[str, int]) -> None:
        """Keep the ports, so that a later `up` finds or repeats them."""
        write_json(self._ports, dict(ports))

    @property
    def run(self) -> Path:
        """The folder of the records: one file a process."""
        return self.folder / "run"

    def log(self, name: str) -> Path:
        """Return the path of the log file of one process."""
        return self.folder / "logs" / f"{name}.log"

    def logs(self) -> list[Path]:
        """Return the log files that there are."""
        return sorted((self.folder / "logs").glob("*.log"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other `up` and `down` commands away; the kernel frees the lock if we die.

        Raises:
            HomeBusyError: one is at work now.
        """
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeBusyError(
                    f"Another winnow command is starting or stopping the stack in {self.folder}."
                ) from None
            yield

    @property
    def _ports(self) -> Path:
        return self.folder / "ports.json"


def read_json(path: Path) -> dict[str, object]:
    """Return the object in the file; an empty one if there is no file."""
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return dict(loaded)


def write_json(path: Path, value: dict[str, object]) -> None:
    """Replace the file at once, readable by its owner only."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(value, file, indent=2)
    fresh.replace(path)
