"""An embedded Valkey: its configuration, its command line, its address."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis

from winnow.embedded.binaries import valkey_server
from winnow.embedded.ports import LOOPBACK


@dataclass(frozen=True, kw_only=True)
class Valkey:
    """A server in a folder of its own, on one loopback port.

    Attributes:
        folder: absolute; holds the configuration and the append-only file.
        password: of the default user; no blank and no quote in it.
        durable: False keeps everything in memory, for tests.
    """

    folder: Path
    port: int
    password: str
    durable: bool = True

    @property
    def url(self) -> str:
        """The address with its password."""
        return f"redis://:{quote(self.password, safe='')}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Write the configuration, readable by its owner only."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        conf = self.folder / "valkey.conf"
        conf.touch(mode=0o600)
        conf.write_text(self._configuration(), encoding="utf-8")

    def command(self) -> list[str]:
        """Return the command of the server, which stays in the foreground."""
        return [str(valkey_server()), str(self.folder / "valkey.conf")]

    def is_ready(self) -> bool:
        """Tell whether the server answers our password (not while it still loads its file)."""
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1.0) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _configuration(self) -> str:
        lines = (
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f"requirepass {self.password}",
            f'dir "{self.folder}"',
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
            'save ""',  # the append-only file is the one copy
            "maxmemory-policy noeviction",  # a broker that evicts loses messages
            "daemonize no",
        )
        return "\n".join(lines) + "\n"
