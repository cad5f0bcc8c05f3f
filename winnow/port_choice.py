"""Which loopback ports the stack takes: the running, the configured, the last, or free ones."""

from collections.abc import Mapping

from winnow import records
from winnow.embedded.ports import free_port, is_free, require_free
from winnow.home import Home

LISTENERS = ("postgres", "valkey", "api", "local_llm", "scorer")
SETTINGS = {
    "api": "WINNOW_API_PORT",
    "local_llm": "WINNOW_LOCAL_LLM__PORT",
    "scorer": "WINNOW_SCORER_PORT",
}


def choose_ports(home: Home, given: Mapping[str, str]) -> dict[str, int]:
    """Return a port for each listener by name, and remember them for the next time.

    Raises:
        PortTakenError: a port that can not be exchanged belongs to another program.
    """
    before = home.ports()
    ports: dict[str, int] = {}
    for name in LISTENERS:
        taken = set(ports.values())
        ports[name] = _fixed(home, given, name) or _last_or_free(home, name, before, taken)
    home.remember_ports(ports)
    return ports


def _fixed(home: Home, given: Mapping[str, str], name: str) -> int | None:
    """Return the port of a running process, or the configured one."""
    running = records.load_running(home.run, name)
    if running is not None:
        return running.port
    if SETTINGS.get(name) not in given:
        return None
    port = int(given[SETTINGS[name]])
    require_free(port, name=name)
    return port


def _last_or_free(home: Home, name: str, before: Mapping[str, int], taken: set[int]) -> int:
    last = before.get(name)
    if last is not None and any(record.alive for record in records.load_all(home.run)):
        require_free(last, name=name)  # those that run were told this port
    if last is not None and last not in taken and is_free(last):
        return last
    port = free_port()
    while port in taken:
        port = free_port()
    return port
