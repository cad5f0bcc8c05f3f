"""The api as a process: told to stop, it ends the streams that are open and then itself."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.api.conftest import NO_TLS, Api, Tenant
from tests.api.rows import add_run
from tests.api.streams import messages

pytestmark = pytest.mark.stack


@pytest.fixture
def process(
    api: Api, free_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator["subprocess.Popen[bytes]"]:
    """Another api on the same database."""
    monkeypatch.setenv("WINNOW_API_PORT", str(free_port))
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen([sys.executable, "-m", "services.api"], stderr=log) as child,
    ):
        until = time.monotonic() + 120
        while not _answers(free_port):
            assert child.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.1)
        yield child
        child.kill()


def _answers(port: int) -> bool:
    try:
        url = f"http://127.0.0.1:{port}/health/live"
        return httpx.get(url, trust_env=False, verify=NO_TLS).is_success
    except httpx.TransportError:
        return False


def test_a_stream_that_is_open_ends_well_and_keeps_nobody_waiting(
    tenant: Tenant, process: "subprocess.Popen[bytes]", free_port: int
) -> None:
    run = add_run(tenant.id, UUID(tenant.dataset("stopping")))
    headers = {"Accept": "text/event-stream"}
    with tenant.client("read") as client:
        url = f"http://127.0.0.1:{free_port}/v1/jobs/{run}/events"
        with client.stream("GET", url, headers=headers) as answer:
            found = messages(answer.iter_lines())
            assert next(found).kind == "job.queued"
            process.send_signal(signal.SIGTERM)
            rest = [one.kind for one in found]  # a broken connection would raise
    assert "end" not in rest
    assert process.wait(60) is not None
