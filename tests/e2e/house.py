"""The running stack as a test sees it: its keys, its database, and how to kill a part of it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import create_engine, text

from tests.e2e.gate import Gate
from tests.waiting import until
from winnow import records
from winnow.addresses import DATABASE, MODEL
from winnow.embedded.ports import free_port
from winnow.embedded.postgres import Postgres
from winnow.home import Home
from winnow.stack import Stack
from winnow_client import Client

Json = dict[str, Any]

IN_FLIGHT, FLUSH = 8, 40
"""Calls at once and answers per commit: what a kill may cost is their sum."""

LEASE_SECONDS = 3


class House:
    """A stack of its own behind a gate, spoken to over HTTP."""

    def __init__(self, stack: Stack, gate: Gate) -> None:
        self.stack = stack
        self.gate = gate
        self.url = stack.api_url

    def new_key(self, name: str) -> str:
        """Return a key that may write to a project of its own."""
        with Client(self.url, self.stack.operator_key) as operator:
            project = operator.create_project(f"{name} {uuid.uuid4().hex[:6]}")["id"]
            return str(operator.create_key(project_id=project, name=name, role="write")["key"])

    @property
    def admin_url(self) -> str:
        """Return the superuser's way into the database."""
        home = self.stack.home
        server = Postgres(
            folder=home.folder / "postgres",
            port=home.ports()["postgres"],
            password=home.secret("admin"),
        )
        return server.url(database=DATABASE)

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Return what a query finds as the superuser, from whom no policy hides anything."""
        engine = create_engine(self.admin_url)
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(text(query), values)]
        finally:
            engine.dispose()

    def kill(self, name: str) -> None:
        """Kill a process of the stack, its children with it, by SIGKILL."""
        record = records.load_running(self.stack.home.run, name)
        assert record is not None, f"{name} does not run"
        for member in records.family(record):
            member.kill()
        until(lambda: not record.alive, what=f"the end of {name}")

    def pid(self, name: str) -> int:
        """Return the process id of a process of the stack that runs."""
        record = records.load_running(self.stack.home.run, name)
        assert record is not None, f"{name} does not run"
        return record.pid

    def stage(self, name: str) -> psutil.Process | None:
        """Return the process that works on a stage of this name now."""
        trainer = records.load_running(self.stack.home.run, "trainer")
        assert trainer is not None, "the trainer does not run"
        return next((child for child in _children(trainer.pid) if _works_on(child, name)), None)

    def wait_for_stage(self, name: str) -> psutil.Process:
        """Return the process of a stage as soon as there is one."""
        until(lambda: self.stage(name) is not None, what=f"the stage {name}")
        process = self.stage(name)
        assert process is not None
        return process


@contextmanager
def running(folder: Path, **given: str) -> Iterator[House]:
    """Yield a stack in `folder` whose chats go through a gate; all of it is ended.

    `given` are further WINNOW_* settings; they win.
    """
    home, port = Home(folder), free_port()
    home.create()
    gate = Gate(port)
    settings = _settings(gate, port, key=home.secret("local_llm")) | given
    stack = Stack(folder, settings=settings)
    try:
        with stack:
            yield House(stack, gate)
    finally:
        gate.close()


def _settings(gate: Gate, port: int, *, key: str) -> dict[str, str]:
    return {
        "WINNOW_LOCAL_LLM__PORT": str(port),
        "WINNOW_LLM__BASE_URL": f"http://{gate.address}/v1",
        "WINNOW_LLM__API_KEY": key,
        "WINNOW_LLM__MODEL": MODEL,
        "WINNOW_LLM__IN_FLIGHT": str(IN_FLIGHT),
        "WINNOW_OUTGOING_ALLOW": gate.address,
        "WINNOW_FLUSH_ANSWERS": str(FLUSH),
        "WINNOW_BATCH_PAIRS": "100",
        "WINNOW_LEASE_SECONDS": str(LEASE_SECONDS),
        "WINNOW_SWEEP_SECONDS": "1",
    }


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _works_on(process: psutil.Process, stage: str) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return "services.trainer.stage" in words and stage in words
