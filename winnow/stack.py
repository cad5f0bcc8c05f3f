"""The embedded stack: bring it up, look at it, take it down; each step is safe to repeat."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from winnow import in_force, memory, processes, records
from winnow.embedded.ports import claimed
from winnow.errors import NotRunningError, UnknownNameError
from winnow.home import Home
from winnow.host import GIB, check_platform, check_space, inherited
from winnow.interruption import noticed
from winnow.plan import Plan
from winnow.records import Record
from winnow.starting import Start
from winnow.waiting import tail

SERVERS = ("valkey", "postgres")  # they go last: the others may still have something to write
DEFAULT_HOME = ".winnow"


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Where the running stack is spoken to; `pids` is by process name."""

    api_url: str
    llm_url: str
    operator_key: str
    pids: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class ProcessStatus:
    """One process: `state` is running, stopped (never started, or ended by `down`) or died."""

    name: str
    pid: int | None
    state: str
    port: int | None
    since: datetime | None
    pss_bytes: int


class Stack:
    """All processes of Winnow on this machine, with their state in one private folder."""

    def __init__(
        self,
        home: Path,
        *,
        settings: Mapping[str, str] | None = None,
        plan: Plan | None = None,
        first_api_port: int | None = None,
        least_space: int = GIB,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Describe a stack; nothing is started or made yet.

        Args:
            home: the private folder; made by `up`, mode 0700.
            settings: WINNOW_* variables for the services; they win over the environment's.
            plan: what the stack consists of.
            first_api_port: what the api takes at the first start if it is free, else any.
            least_space: bytes that must be free below `home`.
            tell: is given one line for each step of `up`.
        """
        self.home = Home(home.absolute())
        own = {name: value for name, value in inherited().items() if name.startswith("WINNOW_")}
        own.pop("WINNOW_HOME", None)
        self._given = {**own, **(settings or {})}
        self._plan = plan or Plan()
        self._first_api_port = first_api_port
        self._least_space = least_space
        self._tell = tell

    def __enter__(self) -> Self:
        """Bring the stack up."""
        self.up()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Take the stack down, whatever happened."""
        self.down()

    def up(self) -> Endpoints:
        """Start what does not run yet and wait until all of it serves.

        Interrupted or failed, it ends what this very call had started.

        Raises:
            StackError: one of its kinds, each with a sentence and an exit code of its own.
        """
        check_platform()
        self.home.create()
        check_space(self.home.folder, least=self._least_space)
        with self.home.locked(), self._first_port(), noticed() as interruption:
            start = Start(self.home, self._given, self._plan, self._tell, interruption)
            try:
                start.run()
            except BaseException:
                self._end(start.started)
                raise
        return self._endpoints(start.env, self._llm_url(start))

    def down(self) -> list[str]:
        """End every process that `up` started, in order; return their names."""
        if not self.home.exists:
            return []
        with self.home.locked():
            return self._end(self._records())

    def status(self) -> list[ProcessStatus]:
        """Tell how each process is, the servers first."""
        names = [*reversed(SERVERS), *(service.name for service in self._plan.services)]
        known = {record.name: record for record in self._records()}
        return [_status(name, known.get(name)) for name in names]

    def died(self) -> list[str]:
        """Return the names of processes that ended unasked."""
        return [record.name for record in self._records() if not record.alive]

    def logs(self, name: str, *, lines: int = 100) -> str:
        """Return the last lines that a process wrote.

        Raises:
            NotRunningError: nothing was ever started here.
            UnknownNameError: no such process was.
        """
        known = {log.stem: log for log in self.home.logs()}
        if not known:
            raise NotRunningError(
                f"There are no logs in {self.home.folder}: start with `winnow up`."
            )
        if name not in known:
            names = ", ".join(known)
            raise UnknownNameError(f"There is no log of {name!r} here; there are: {names}.")
        path = known[name]
        return "\n".join(tail(path.read_text(encoding="utf-8", errors="replace"), lines=lines))

    def pss_bytes(self) -> int:
        """Return the memory of all processes and their children, shared pages counted once."""
        return sum(memory.pss_bytes(record) for record in self._records())

    @property
    def operator_key(self) -> str:
        """The key that makes projects and keys."""
        return self._given.get("WINNOW_OPERATOR_KEY") or self.home.secret("operator")

    @property
    def is_serving(self) -> bool:
        """Whether the api's process runs."""
        return records.load_running(self.home.run, "api") is not None

    @property
    def api_url(self) -> str:
        """Where the api of the running stack listens.

        Raises:
            NotRunningError: it does not run.
        """
        record = records.load_running(self.home.run, "api")
        if record is None:
            raise NotRunningError("The api does not run: start the stack with `winnow up`.")
        return f"http://127.0.0.1:{record.port}"

    @contextmanager
    def _first_port(self) -> Iterator[None]:
        """Make the preferred port the one that the api finds remembered, in a new home only."""
        new = not self.home.ports() and "WINNOW_API_PORT" not in self._given
        port = self._first_api_port if new else None
        with claimed(port) as ours:
            if port is not None and ours:
                self.home.remember_ports({"api": port})
            yield

    def _records(self) -> list[Record]:
        return records.load_all(self.home.run)

    def _end(self, ending: list[Record]) -> list[str]:
        servers = [record for record in ending if record.name in SERVERS]
        services = [record for record in ending if record.name not in SERVERS]
        for group in (services, servers):
            processes.stop(group, patience=self._plan.grace)
            for record in group:
                records.forget(self.home.run, record.name)
        return [record.name for record in (*services, *servers)]

    def _llm_url(self, start: Start) -> str:
        """Return where the running rater asks, which after a change of settings is elsewhere."""
        ours = start.env["WINNOW_LLM__BASE_URL"]
        if any(record.name not in SERVERS for record in start.earlier):
            kept = in_force.differing(self.home, self._given)
            if kept is None:
                return ours
            self._tell("changed settings take effect after `winnow down` and `winnow up`")
            return kept.llm_url
        in_force.remember(self.home, self._given, llm_url=ours)
        return ours

    def _endpoints(self, env: Mapping[str, str], llm_url: str) -> Endpoints:
        return Endpoints(
            api_url=f"http://127.0.0.1:{env['WINNOW_API_PORT']}",
            llm_url=llm_url,
            operator_key=env["WINNOW_OPERATOR_KEY"],
            pids={record.name: record.pid for record in self._records()},
        )


def _status(name: str, record: Record | None) -> ProcessStatus:
    if record is None:
        return ProcessStatus(
            name=name, pid=None, state="stopped", port=None, since=None, pss_bytes=0
        )
    return ProcessStatus(
        name=name,
        pid=record.pid,
        state="running" if record.alive else "died",
        port=record.port,
        since=datetime.fromtimestamp(record.since, tz=UTC),
        pss_bytes=memory.pss_bytes(record),
    )
