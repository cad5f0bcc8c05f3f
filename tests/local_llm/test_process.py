"""`python -m services.local_llm` as the process manager starts it."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from services.shared.llm.delimiters import Block, wrap
from tests.local_llm.conftest import KEY

ROOT = Path(__file__).parents[2]
SECRET = "a profile that no log may hold"


def start(**settings: str) -> "subprocess.Popen[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WINNOW_")}  # noqa: TID251 - a child's environment
    own = {f"WINNOW_LOCAL_LLM__{name}": value for name, value in settings.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "services.local_llm"],
        cwd=ROOT,
        env=kept | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_process_serves_its_port_ends_on_sigterm_and_logs_no_text() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    prompt = wrap([Block("user", SECRET), Block("item", SECRET)])[1]
    with start(PORT=str(port), API_KEY=KEY, FAULTS="delay_ms=5") as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
            wait(http)
            answer = http.post(
                "/v1/chat/completions",
                headers={"Authorization": f"Bearer {KEY}"},
                json={
                    "model": "winnow-local-rater",
                    "messages": [{"role": "user", "content": prompt}],
                },
            )
        process.terminate()
        logged = process.communicate(timeout=20)[0]
    assert answer.status_code == 200
    assert '"label":"High"' in answer.json()["choices"][0]["message"]["content"]
    assert SECRET not in logged
    assert KEY not in logged


def test_a_missing_key_is_named() -> None:
    with start() as process:
        said = process.communicate(timeout=20)[0]
    assert process.returncode != 0
    assert "WINNOW_LOCAL_LLM__API_KEY is not set" in said


def wait(http: httpx.Client) -> None:
    for _ in range(300):
        try:
            http.get("/health").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError
