"""A worker's pulse tells a health check whether it takes messages; a port is simply asked."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from services.shared import probe
from tests.waiting import until
from winnow.embedded import ports
from winnow.embedded.launch import launched
from winnow.embedded.valkey import Valkey

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def worker(broker: Valkey, pulse: Path) -> Iterator["subprocess.Popen[bytes]"]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WINNOW_")}  # noqa: TID251 - a child's environment
    own = {"WINNOW_REDIS_URL": broker.url, "WINNOW_PULSE_FILE": str(pulse)}
    command = [sys.executable, "-m", "services.llm_worker"]
    with subprocess.Popen(
        command, cwd=ROOT, env=kept | own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(pulse: Path) -> int:
    return probe.main(["--pulse", str(pulse)])


def said(pulse: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert ask(pulse) == 1
    return capsys.readouterr().err


@pytest.mark.stack
def test_a_worker_is_well_while_it_reads_from_the_broker_and_not_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = Valkey(folder=tmp_path / "valkey", port=ports.free_port(), password="v", durable=False)
    pulse = tmp_path / "pulse"
    assert ask(pulse) == 1
    with (tmp_path / "log").open("wb") as log, worker(broker, pulse) as process:
        with launched(broker, log=log):
            until(lambda: ask(pulse) == 0)
            first = pulse.stat().st_mtime_ns
            until(lambda: pulse.stat().st_mtime_ns > first)
        until(lambda: not pulse.exists())
        assert "is not connected to the broker" in said(pulse, capsys)
        with launched(broker, log=log):
            until(lambda: ask(pulse) == 0)
            process.send_signal(signal.SIGSTOP)
            os.utime(pulse, (0, 0))
            assert "the worker hangs" in said(pulse, capsys)
            process.send_signal(signal.SIGCONT)
            until(lambda: ask(pulse) == 0)
            process.kill()
            process.wait()
            assert "is gone" in said(pulse, capsys)


@pytest.mark.stack
def test_a_worker_that_is_told_to_end_takes_its_pulse_along(tmp_path: Path) -> None:
    broker = Valkey(folder=tmp_path / "valkey", port=ports.free_port(), password="v", durable=False)
    pulse = tmp_path / "pulse"
    with (tmp_path / "log").open("wb") as log, launched(broker, log=log):
        with worker(broker, pulse) as process:
            until(lambda: ask(pulse) == 0)
            process.terminate()
            assert process.wait(60) == 0
        assert list(tmp_path.glob("pulse*")) == []


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/live" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_an_address_is_well_when_it_answers_200(
    port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_API_PORT", str(port))
    assert probe.main(["http://127.0.0.1:$WINNOW_API_PORT/health/live"]) == 0
    assert probe.main([f"http://127.0.0.1:{port}/health/ready"]) == 1
    assert capsys.readouterr().err == f"http://127.0.0.1:{port}/health/ready answers 503\n"


def test_an_address_where_nobody_listens_is_told(
    free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_port}/health"
    assert probe.main([url]) == 1
    assert capsys.readouterr().err == f"{url} does not answer: ConnectionRefusedError\n"


@pytest.mark.parametrize("words", [[], ["--pulse"], ["ftp://127.0.0.1/"]])
def test_a_question_that_is_none_is_told_apart_from_a_process_that_is_unwell(
    words: list[str],
) -> None:
    assert probe.main(words) == 2


def test_a_port_that_is_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.main(["http://127.0.0.1:$WINNOW_NO_SUCH_PORT/health"]) == 1
    assert "is no address" in capsys.readouterr().err
