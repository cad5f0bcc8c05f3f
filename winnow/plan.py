"""The stack's processes, declared: what is started, what each may know, when it is ready."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import psutil

PYTHON = (sys.executable, "-m")

# Who may see what; every other WINNOW_* variable goes to every service.
PRIVATE: Mapping[str, frozenset[str]] = {
    "WINNOW_ADMIN_DATABASE_URL": frozenset({"migrations"}),
    "WINNOW_OWNER_DATABASE_URL": frozenset({"migrations"}),
    "WINNOW_INGEST_DATABASE_URL": frozenset({"migrations", "api", "api-worker"}),
    "WINNOW_OPERATOR_KEY": frozenset({"api"}),
    "WINNOW_SCORER_KEY": frozenset({"api", "scorer"}),
    "WINNOW_LLM__API_KEY": frozenset({"llm_worker"}),
    "WINNOW_EMBEDDER__API_KEY": frozenset({"llm_worker", "scorer"}),
    "WINNOW_LOCAL_LLM__API_KEY": frozenset({"local_llm"}),
}


@dataclass(frozen=True, kw_only=True)
class Service:
    """One process of the stack.

    Attributes:
        port: the variable that tells it where to listen; None for a Celery worker.
        health: the path that answers 200 once it serves; None: ready when it holds a connection
            to the broker.
    """

    name: str
    command: tuple[str, ...]
    port: str | None = None
    health: str | None = None
    needs_database: bool = True

    def is_ready(self, pid: int, env: Mapping[str, str]) -> bool:
        """Tell whether the process `pid`, started with `env`, does its work."""
        if self.health is not None and self.port is not None:
            return _answers(f"http://127.0.0.1:{env[self.port]}{self.health}")
        return _connected(pid, port=urlsplit(env["WINNOW_REDIS_URL"]).port or 6379)


SERVICES = (
    Service(
        name="local_llm",
        command=(*PYTHON, "services.local_llm"),
        port="WINNOW_LOCAL_LLM__PORT",
        health="/health",
        needs_database=False,
    ),
    Service(
        name="api",
        command=(*PYTHON, "services.api"),
        port="WINNOW_API_PORT",
        health="/health/ready",
    ),
    Service(name="api-worker", command=(*PYTHON, "services.api.worker")),
    Service(name="llm_worker", command=(*PYTHON, "services.llm_worker")),
    Service(name="trainer", command=(*PYTHON, "services.trainer")),
    Service(
        name="scorer",
        command=(*PYTHON, "services.trainer.scorer"),
        port="WINNOW_SCORER_PORT",
        health="/health",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one stack consists of; tests put small stand-ins in the services' place."""

    services: tuple[Service, ...] = SERVICES
    migrations: tuple[tuple[str, ...], ...] = (
        (*PYTHON, "migrations", "bootstrap"),
        (*PYTHON, "migrations", "upgrade"),
    )
    patience: float = 90.0  # seconds until a process must serve
    grace: float = 8.0  # seconds between being asked to end and being made to


def visible_to(name: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the secrets that are none of this process' business."""
    return {key: value for key, value in env.items() if name in PRIVATE.get(key, {name})}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _connected(pid: int, *, port: int) -> bool:
    try:
        links = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    established = [link for link in links if link.status == psutil.CONN_ESTABLISHED]
    return any(link.raddr.port == port for link in established)
