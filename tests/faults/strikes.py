"""What a fault does to a running stack, and what an operator or supervisor does about it."""

import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil
import redis

from tests.e2e.drive import PATIENCE
from tests.e2e.house import FLUSH, IN_FLIGHT, LEASE_SECONDS, House
from tests.faults import disks, moments
from tests.waiting import until
from winnow import processes, records

PAID_AGAIN = IN_FLIGHT + FLUSH
"""Calls that one kill may cost: those in flight and one flush."""

KNOCKS = 8
"""Calls that no question asks, made to see whether the endpoint is back."""

FROZEN_SECONDS = 4.0 * LEASE_SECONDS
"""Longer than a lease and the sweep's patience: another has taken over when the sleeper wakes."""

SERVERS = {"postgres", "valkey"}

Strike = Callable[[House, str, float], str | None]
"""Strikes at a moment and mends, after so many seconds, what does not mend by itself.

Returns what the run or import said of it where it paused.
"""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A kind of fault.

    Attributes:
        moments: when it may strike.
        strike: does it.
        again: calls that it may cost at most.
        hidden: while it lasts, the api may answer 503 or nothing.
        disks: whether it needs disks that can be filled.
    """

    name: str
    moments: tuple[str, ...]
    strike: Strike
    again: int = 0
    hidden: bool = False
    disks: bool = False


def killed(name: str) -> Strike:
    """Return the SIGKILL of one process, its children left to their fate, and its restart."""

    def strike(house: House, _moment: str, pause: float) -> None:
        pid = house.pid(name)
        children = psutil.Process(pid).children(recursive=True)
        psutil.Process(pid).kill()
        until(lambda: name in house.stack.died(), what=f"the end of {name}")
        until(lambda: not any(map(_lives, children)), what=f"the end of {name}'s children")
        time.sleep(pause)
        house.stack.up()

    return strike


def stage_killed(house: House, moment: str, _pause: float) -> None:
    """Kill the process that works on the stage of the moment; its parent sees to the rest."""
    process = house.stage(moment)
    if process is not None:  # it may just have ended
        with suppress(psutil.NoSuchProcess):
            process.kill()


def wiped(house: House, _moment: str, _pause: float) -> None:
    """Empty Valkey: every message is gone, also those that are under way."""
    with _valkey(house) as valkey:
        valkey.flushall()


def restarted(name: str) -> Strike:
    """Return an orderly restart: asked to end, and started again after a while."""

    def strike(house: House, _moment: str, pause: float) -> None:
        record = records.load_running(house.stack.home.run, name)
        assert record is not None, f"{name} does not run"
        processes.stop([record], patience=20.0)
        time.sleep(pause)
        house.stack.up()

    return strike


def away(name: str) -> Strike:
    """Return a kill after which the process stays away for longer than a lease and the sweep."""

    def strike(house: House, _moment: str, pause: float) -> None:
        psutil.Process(house.pid(name)).kill()
        until(lambda: name in house.stack.died(), what=f"the end of {name}")
        time.sleep(FROZEN_SECONDS + pause)
        house.stack.up()

    return strike


def frozen(name: str) -> Strike:
    """Return a stop of a process and its children; they wake when their leases are lost."""

    def strike(house: House, moment: str, pause: float) -> None:
        parent = psutil.Process(house.pid(name))
        family = [parent, *parent.children(recursive=True)]
        _signal(family, signal.SIGSTOP)
        _let_pass(house, moment)  # what it asked is answered meanwhile
        time.sleep(FROZEN_SECONDS + pause)
        _signal(family, signal.SIGCONT)

    return strike


def llm_away(house: House, moment: str, pause: float) -> str:
    """Answer every chat with 503 until the run pauses, and for a while after."""
    house.gate.away = True
    _let_pass(house, moment)  # what was held is answered yet
    try:
        told = _paused(house)
        time.sleep(pause)
    finally:
        house.gate.away = False
    return told


def endpoint_away(house: House, moment: str, pause: float) -> str:
    """Kill the endpoint of chats and embeddings, and start it when the run has paused."""
    psutil.Process(house.pid("local_llm")).kill()
    _let_pass(house, moment)
    told = _paused(house)
    time.sleep(pause)
    house.stack.up()
    return told


def filled(name: str) -> Strike:
    """Return a full disk below a folder, with room again when the job has paused."""

    def strike(house: House, _moment: str, pause: float) -> str:
        with disks.full(house.stack.home.folder / name):
            told = _paused(house)
            time.sleep(pause)
        return told

    return strike


def filled_for_uploads(house: House, _moment: str, pause: float) -> None:
    """Fill the disk that receives uploads, and make room a moment later: the api says when."""

    def hold() -> None:
        with disks.full(house.stack.home.folder / "spool"):
            ready.set()
            time.sleep(3.0 + pause)

    ready = threading.Event()
    threading.Thread(target=hold, name="full disk").start()
    assert ready.wait(60)


def _let_pass(house: House, moment: str) -> None:
    """Open the gate when its moment has come; at an earlier one it is shut for that moment yet."""
    if moment == moments.RATE:
        house.gate.open()


def _paused(house: House) -> str:
    """Wait until a job has paused; return the reason that it gives."""
    query = "SELECT pause->>'code' FROM jobs WHERE state = 'paused'"
    until(lambda: house.rows(query) != [], what="a pause", seconds=PATIENCE)
    return str(house.rows(query)[0][0])


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            name="api killed",
            moments=(moments.UPLOADING, moments.POSTING, moments.QUEUED, moments.RATE, "publish"),
            strike=killed("api"),
            hidden=True,
        ),
        Fault(
            name="api-worker killed",
            moments=(moments.ACCEPTED, moments.PARSING, moments.PUBLISHING, moments.RATE),
            strike=killed("api-worker"),
        ),
        Fault(
            name="llm_worker killed",
            moments=(moments.RATE, moments.EMBED, moments.QUEUED),
            strike=killed("llm_worker"),
            again=PAID_AGAIN,
        ),
        Fault(name="trainer killed", moments=moments.TRAINED, strike=killed("trainer")),
        Fault(name="stage killed", moments=moments.TRAINED, strike=stage_killed),
        Fault(
            name="Valkey killed",
            moments=(moments.ACCEPTED, *moments.RUNNING),
            strike=killed("valkey"),
        ),
        Fault(name="Valkey wiped", moments=(moments.ACCEPTED, *moments.RUNNING), strike=wiped),
        Fault(
            name="Valkey restarted",
            moments=(moments.ACCEPTED, *moments.RUNNING),
            strike=restarted("valkey"),
        ),
        Fault(
            name="Valkey away",
            moments=(moments.ACCEPTED, *moments.RUNNING),
            strike=away("valkey"),
        ),
        Fault(
            name="Postgres killed",
            moments=moments.ALL,
            strike=killed("postgres"),
            again=PAID_AGAIN,
            hidden=True,
        ),
        Fault(
            name="Postgres restarted",
            moments=moments.ALL,
            strike=restarted("postgres"),
            again=PAID_AGAIN,
            hidden=True,
        ),
        Fault(
            name="Postgres away",
            moments=moments.ALL,
            strike=away("postgres"),
            again=PAID_AGAIN,
            hidden=True,
        ),
        Fault(
            name="local_llm killed",
            moments=(moments.EMBED, moments.RATE),
            strike=killed("local_llm"),
            again=PAID_AGAIN,
        ),
        Fault(name="LLM away", moments=(moments.RATE,), strike=llm_away, again=KNOCKS),
        Fault(
            name="endpoint away",
            moments=(moments.EMBED, moments.RATE),
            strike=endpoint_away,
            again=PAID_AGAIN,
        ),
        Fault(
            name="artefact disk full",
            moments=("snapshot", "pretrain", "align", "refine", "train", "evaluate", "publish"),
            strike=filled("artifacts"),
            disks=True,
        ),
        Fault(
            name="spool disk full",
            moments=(moments.PARSING, "snapshot", "train_raw", "train"),
            strike=filled("spool"),
            disks=True,
        ),
        Fault(
            name="upload disk full",
            moments=(moments.UPLOADING,),
            strike=filled_for_uploads,
            disks=True,
        ),
        Fault(
            name="llm_worker frozen",
            moments=(moments.EMBED, moments.RATE),
            strike=frozen("llm_worker"),
            again=PAID_AGAIN,
        ),
        Fault(name="trainer frozen", moments=moments.TRAINED, strike=frozen("trainer")),
        Fault(
            name="api-worker frozen",
            moments=(moments.ACCEPTED, moments.PARSING, moments.PUBLISHING),
            strike=frozen("api-worker"),
        ),
        Fault(
            name="Valkey frozen",
            moments=(moments.ACCEPTED, moments.QUEUED, moments.RATE, "train"),
            strike=frozen("valkey"),
        ),
    )
}


def _valkey(house: House) -> redis.Redis:
    home = house.stack.home
    return redis.Redis(port=home.ports()["valkey"], password=home.secret("valkey"))


def _signal(family: list[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
