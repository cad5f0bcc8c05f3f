"""Pid files that can not lie: a pid counts only with the start time that the kernel gave it."""

from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from winnow.home import read_json, write_json

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class Record:
    """A process that we started.

    Attributes:
        ticks: its start in clock ticks since boot; with `boot`, this tells it from a later
            process that was given the same pid. (A wall-clock start would move with the clock.)
        since: seconds since the epoch, for people.
    """

    name: str
    pid: int
    ticks: int
    boot: str
    since: float
    port: int | None

    @property
    def alive(self) -> bool:
        """Whether the very process still runs; a zombie does not."""
        found = _start_of(self.pid)
        return found is not None and (self.ticks, self.boot) == (found, boot_id())


def boot_id() -> str:
    """Return the kernel's name for this boot."""
    return BOOT_ID.read_text(encoding="ascii").strip()


def record_of(name: str, pid: int, *, since: float, port: int | None) -> Record:
    """Describe a process that was started just now; one that is gone already counts as dead."""
    ticks = _start_of(pid) or 0
    return Record(name=name, pid=pid, ticks=ticks, boot=boot_id(), since=since, port=port)


def save(folder: Path, record: Record) -> None:
    """Write the record's file."""
    write_json(folder / f"{record.name}.json", asdict(record))


def load(folder: Path, name: str) -> Record | None:
    """Return the record of the process `name`, alive or not; None if it was never started."""
    values = read_json(folder / f"{name}.json")
    return Record(**values) if values else None  # type: ignore[arg-type]  # as save wrote them


def load_running(folder: Path, name: str) -> Record | None:
    """Return the record of the process `name` if that process runs."""
    record = load(folder, name)
    return record if record is not None and record.alive else None


def load_all(folder: Path) -> list[Record]:
    """Return all records of the folder, of the living and the dead."""
    found = (load(folder, path.stem) for path in sorted(folder.glob("*.json")))
    return [record for record in found if record is not None]


def forget(folder: Path, name: str) -> None:
    """Remove the record's file."""
    (folder / f"{name}.json").unlink(missing_ok=True)


def family(record: Record) -> list[psutil.Process]:
    """Return the record's process, its descendants and whoever else is left of its session.

    The session (each process of ours leads one) finds the orphans of a parent that was killed.
    """
    members = {}
    for process in psutil.process_iter():
        if _in_session(process.pid, record):
            members[process.pid] = process
    if record.alive:
        parent = psutil.Process(record.pid)
        members |= {process.pid: process for process in [parent, *_children(parent)]}
    return list(members.values())


def _children(parent: psutil.Process) -> list[psutil.Process]:
    try:
        return parent.children(recursive=True)
    except psutil.Error:
        return []


def _in_session(pid: int, record: Record) -> bool:
    fields = _stat(pid)
    # Later than the record's start: a reused session id of an earlier boot is no kin of ours.
    return (
        fields is not None
        and int(fields[3]) == record.pid
        and int(fields[19]) >= record.ticks
        and record.boot == boot_id()
    )


def _start_of(pid: int) -> int | None:
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the third on: state, parent, group, session."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
