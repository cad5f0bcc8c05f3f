"""The api and its worker as processes of their own, and a caller who uploads."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from services.api.main import wrap
from services.api.routes import imports
from tests.waiting import until

ROOT = Path(__file__).parents[2]
ENDED = {"succeeded", "failed", "cancelled"}


@contextmanager
def running(module: str, *, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a program with this process' settings; it does not outlive the block."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=dict(os.environ),  # noqa: TID251 - a child's environment
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextmanager
def serving(routes: FastAPI) -> Iterator[str]:
    """Serve the api on a free port of the loopback; the value is its address."""
    if not any("/imports" in getattr(route, "path", "") for route in routes.routes):
        routes.include_router(imports.router)
    config = uvicorn.Config(
        wrap(routes),
        host="127.0.0.1",
        port=0,
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@dataclass
class Shop:
    """One dataset and the key that writes to it."""

    http: httpx.Client
    dataset: str

    @property
    def path(self) -> str:
        """The address of the dataset."""
        return f"/v1/datasets/{self.dataset}"

    def send(
        self, body: bytes, *, headers: Mapping[str, str] | None = None, **query: str
    ) -> httpx.Response:
        """Upload a file; CSV of interactions unless told otherwise."""
        return self.http.post(
            f"{self.path}/imports",
            params={"kind": "interactions", **query},
            content=body,
            headers={"Content-Type": "text/csv", **(headers or {})},
        )

    def bring_in(
        self, body: bytes, *, headers: Mapping[str, str] | None = None, **query: str
    ) -> dict[str, Any]:
        """Upload a file and return its job when it has ended."""
        answer = self.send(body, headers=headers, **query)
        assert answer.status_code == 202, answer.text
        return self.ended(answer.json()["id"])

    def job(self, ident: str) -> dict[str, Any]:
        """Return a job."""
        return dict(self.http.get(f"/v1/jobs/{ident}").json())

    def ended(self, ident: str) -> dict[str, Any]:
        """Return a job when it has ended."""
        until(lambda: self.job(ident)["state"] in ENDED)
        return self.job(ident)

    def rows(self, noun: str = "interactions") -> list[dict[str, Any]]:
        """Return up to a thousand rows of the dataset."""
        answer = self.http.get(f"{self.path}/{noun}", params={"page_size": 1000})
        assert answer.status_code == 200, answer.text
        return list(answer.json()[noun])
