"""The broker's own line in docker-compose.yml, run with the embedded Valkey's binary."""

import os
import subprocess
import time
from pathlib import Path

import pytest
import redis

from tests.containers import compose
from winnow.embedded.binaries import valkey_server

pytestmark = pytest.mark.stack


def test_the_broker_asks_for_its_password_keeps_its_log_and_evicts_nothing(
    tmp_path: Path, free_port: int
) -> None:
    (tmp_path / "valkey-server").symlink_to(valkey_server())
    (tmp_path / "data").mkdir()
    shell, option, script = compose.SERVICES["valkey"]["command"]
    line = compose.filled(script, {}).replace("/tmp/", f"{tmp_path}/")  # noqa: S108 - a mount
    line = line.replace("--dir /data", f"--dir {tmp_path}/data --port {free_port}")
    env = {"PATH": f"{tmp_path}:{os.defpath}", "VALKEY_PASSWORD": "of-a-test"}
    with subprocess.Popen([shell, option, line], env=env, stdout=subprocess.DEVNULL) as process:
        try:
            with redis.Redis(port=free_port, password="of-a-test") as client:
                wait(client, process)
                asked = ("maxmemory-policy", "appendonly", "appendfsync", "save", "requirepass")
                found = [client.config_get(name)[name] for name in asked]
            with redis.Redis(port=free_port) as stranger, pytest.raises(redis.RedisError):
                stranger.ping()
            shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        finally:
            process.kill()
    assert found == ["noeviction", "yes", "everysec", "", "of-a-test"]
    assert b"of-a-test" not in shown
    assert (tmp_path / "valkey.conf").stat().st_mode & 0o777 == 0o600


def wait(client: "redis.Redis", process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            assert process.poll() is None, f"it ended with {process.returncode}"
            assert time.monotonic() < deadline, "it does not answer"
            time.sleep(0.1)
        else:
            return
