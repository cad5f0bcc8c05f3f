"""One `up` at work: start what is missing, in order, and wait until all of it serves."""

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from winnow import addresses, processes, records
from winnow.embedded.launch import Server
from winnow.embedded.postgres import Postgres
from winnow.embedded.valkey import Valkey
from winnow.home import Home
from winnow.host import inherited
from winnow.interruption import Interruption
from winnow.plan import Plan, Service, visible_to
from winnow.port_choice import choose_ports
from winnow.records import Record
from winnow.validity import require_valid
from winnow.waiting import failure, wait_until_ready


@dataclass
class Start:
    """What one `up` does; `started` is what a failed one has to undo, `earlier` ran before."""

    home: Home
    given: Mapping[str, str]
    plan: Plan
    tell: Callable[[str], None]
    interruption: Interruption
    started: list[Record] = field(default_factory=list)
    earlier: list[Record] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Start whatever does not run; return when everything serves.

        Raises:
            SettingError: a variable can not be used.
            PortTakenError: another program holds a port that we need.
            ProcessFailedError: a process ended or did not serve in time; its log is quoted.
        """
        require_valid(self.given)
        addresses.require_complete(self.given)
        self.earlier = [one for one in records.load_all(self.home.run) if one.alive]
        ports = choose_ports(self.home, self.given)
        postgres, valkey = self._servers(ports)
        self.env = addresses.environment(
            self.home, self.given, ports=ports, postgres=postgres, valkey=valkey
        )
        self._start_server("postgres", postgres)
        self._start_server("valkey", valkey)
        self._start_services(needing_database=False)
        self._await_server("postgres", postgres)
        self._await_server("valkey", valkey)
        if self._missing(needing_database=True):
            self._migrate()
        self._start_services(needing_database=True)
        self._await_services()

    def _services(self) -> list[Service]:
        skipped = set() if addresses.is_local(self.given) else {"local_llm"}
        skipped |= set() if addresses.is_scoring(self.given) else {"scorer"}
        return [service for service in self.plan.services if service.name not in skipped]

    def _servers(self, ports: Mapping[str, int]) -> tuple[Postgres | None, Valkey | None]:
        folder, secret = self.home.folder, self.home.secret
        postgres = Postgres(
            folder=folder / "postgres", port=ports["postgres"], password=secret("admin")
        )
        valkey = Valkey(folder=folder / "valkey", port=ports["valkey"], password=secret("valkey"))
        return (
            None if "WINNOW_DATABASE_URL" in self.given else postgres,
            None if "WINNOW_REDIS_URL" in self.given else valkey,
        )

    def _record(self, name: str) -> Record | None:
        return records.load(self.home.run, name)

    def _running(self, name: str) -> Record | None:
        return records.load_running(self.home.run, name)

    def _missing(self, *, needing_database: bool) -> list[Service]:
        return [
            service
            for service in self._services()
            if service.needs_database == needing_database and self._running(service.name) is None
        ]

    def _start_server(self, name: str, server: Postgres | Valkey | None) -> None:
        if server is None or self._running(name) is not None:
            return
        server.prepare()
        self._spawn(name, server.command(), env=_without_settings(), port=server.port)

    def _start_services(self, *, needing_database: bool) -> None:
        for service in self._missing(needing_database=needing_database):
            env = {**_without_settings(), **visible_to(service.name, self.env)}
            port = None if service.port is None else int(env[service.port])
            self._spawn(service.name, list(service.command), env=env, port=port)

    def _spawn(
        self, name: str, command: list[str], *, env: Mapping[str, str], port: int | None
    ) -> None:
        self._clear_remains(name)
        self.tell(f"starting {name}")
        self.interruption.check()
        pid = processes.spawn(command, env=env, log=self.home.log(name))
        record = records.record_of(name, pid, since=time.time(), port=port)
        records.save(self.home.run, record)
        self.started.append(record)

    def _clear_remains(self, name: str) -> None:
        old = self._record(name)
        if old is None:
            return
        self.tell(f"{name}: the recorded process {old.pid} is gone; its pid file was stale")
        processes.stop([old], patience=0.0)  # children that outlived it

    def _migrate(self) -> None:
        env = {**_without_settings(), **visible_to("migrations", self.env)}
        for command in self.plan.migrations:
            if command[-1] == "bootstrap" and "WINNOW_ADMIN_DATABASE_URL" not in env:
                continue  # a database of the caller's own has its roles already
            self.tell(f"running {' '.join(command[-2:])}")
            with self.home.log("migrations").open("ab") as log:
                done = subprocess.run(command, env=env, stdout=log, stderr=log, check=False)
            self.interruption.check()
            if done.returncode != 0:
                what = f"ended with exit code {done.returncode}"
                raise failure("migrations", what, log=self.home.log("migrations"))

    def _await_server(self, name: str, server: Server | None) -> None:
        if server is not None:
            self._await(name, server.is_ready)

    def _await_services(self) -> None:
        for service in self._services():
            record = self._running(service.name)
            pid = 0 if record is None else record.pid
            self._await(service.name, partial(service.is_ready, pid, self.env))

    def _await(self, name: str, is_ready: Callable[[], bool]) -> None:
        def ready() -> bool:
            self.interruption.check()
            return is_ready()

        log = self.home.log(name)
        wait_until_ready(name, ready, self._record(name), log=log, patience=self.plan.patience)


def _without_settings() -> dict[str, str]:
    """Return our environment without settings; a folder `services` where we stand is not ours."""
    kept = {name: value for name, value in inherited().items() if not name.startswith("WINNOW_")}
    return {**kept, "PYTHONSAFEPATH": "1"}
