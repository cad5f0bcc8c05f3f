"""An embedded Postgres 18: its cluster, its command line, its addresses."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from winnow.embedded.binaries import postgres_bin
from winnow.embedded.plain_user import command_prefix
from winnow.embedded.ports import LOOPBACK
from winnow.errors import ProcessFailedError

ADMIN = "winnow_admin"

# What a crash may lose is of no interest to a test; what a fsync costs is.
HASTY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A cluster in a folder of its own, on one loopback port.

    Attributes:
        folder: absolute; holds `data/`, and is given to another user where root needs that.
        password: of the superuser `winnow_admin`.
        durable: False turns fsync off, for tests.
    """

    folder: Path
    port: int
    password: str
    durable: bool = True

    @property
    def data(self) -> Path:
        """The cluster's folder."""
        return self.folder / "data"

    def prepare(self) -> None:
        """Create the cluster unless it is there, and clear the lock of a dead server."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        if (self.data / "postmaster.pid").exists() and not self._holders():
            (self.data / "postmaster.pid").unlink()

    def command(self) -> list[str]:
        """Return the command of the server, which stays in the foreground."""
        settings = (
            "unix_socket_directories=",
            f"listen_addresses={LOOPBACK}",
            "max_connections=200",
        )
        hasty = () if self.durable else HASTY
        options = [word for setting in (*settings, *hasty) for word in ("-c", setting)]
        return [*self._program("postgres"), "-D", str(self.data), "-p", str(self.port), *options]

    def is_ready(self) -> bool:
        """Tell whether the server takes connections."""
        probe = [str(postgres_bin() / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port)]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0

    def url(self, *, database: str, user: str = ADMIN, password: str | None = None) -> str:
        """Return the SQLAlchemy URL of a database on this server."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql+psycopg://{user}:{secret}@{LOOPBACK}:{self.port}/{database}"

    def _program(self, name: str) -> list[str]:
        path = postgres_bin() / name
        return [*command_prefix(self.folder, program=path), str(path)]

    def _initdb(self) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix="pw-") as secret:
            secret.write(self.password + "\n")
            secret.flush()
            command = [*self._program("initdb"), "-D", str(self.data), "-U", ADMIN]
            command += ["--pwfile", secret.name, "--auth=scram-sha-256"]
            command += ["--encoding=UTF8", "--locale=C.UTF-8"]
            command += [] if self.durable else ["--no-sync"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ProcessFailedError(f"initdb could not make {self.data}: {done.stderr.strip()}")

    def _holders(self) -> list[int]:
        """Return the pids that work inside the cluster: its postmaster and every backend.

        Postgres itself only asks whether *some* process has the recorded pid, so a reused one
        would lock us out; and a backend that outlived its postmaster must keep us out.
        """
        holders = []
        for process in psutil.process_iter():
            try:
                if Path(process.cwd()) == self.data.resolve():
                    holders.append(process.pid)
            except (psutil.Error, OSError):
                continue
        return holders
