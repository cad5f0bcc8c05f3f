"""The process manager on a real Postgres and Valkey, with stand-ins for the services."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest

from tests.winnow.stand_ins import child_of, stand_in_plan
from winnow import cli
from winnow.embedded.ports import LOOPBACK, claimed
from winnow.errors import (
    DiskFullError,
    HomeBusyError,
    PortTakenError,
    ProcessFailedError,
    StackError,
)
from winnow.stack import Stack

pytestmark = pytest.mark.stack

NAMES = {"postgres", "valkey", "local_llm", "api", "api-worker", "llm_worker", "trainer", "scorer"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path / "home", plan=stand_in_plan())
    yield made
    made.down()


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_until_gone(pid: int, *, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs(pid)


def test_up_starts_eight_processes_and_down_leaves_none_nor_their_children(stack: Stack) -> None:
    endpoints = stack.up()
    assert set(endpoints.pids) == NAMES
    assert httpx.get(endpoints.api_url, trust_env=False).status_code == 200
    pids = [*endpoints.pids.values(), child_of(stack.home.log("trainer"))]
    assert all(map(runs, pids))
    assert set(stack.down()) == NAMES
    assert not any(map(runs, pids))
    assert {process.state for process in stack.status()} == {"stopped"}


def test_status_names_the_address_of_the_running_api(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    address = stack.up().api_url
    assert cli.run(["--home", str(stack.home.folder), "status"]) == 0
    assert capsys.readouterr().out.endswith(f"\napi at {address}\n")


def test_a_new_stack_takes_the_preferred_api_port_and_a_second_one_another(
    tmp_path: Path, free_port: int
) -> None:
    def made(name: str) -> Stack:
        return Stack(tmp_path / name, plan=stand_in_plan(), first_api_port=free_port)

    with made("first") as first, made("second") as second:
        assert first.api_url == f"http://{LOOPBACK}:{free_port}"
        assert second.api_url != first.api_url
        assert httpx.get(second.api_url, trust_env=False).status_code == 200


def test_a_claimed_port_is_no_other_claims_and_yet_the_servers(free_port: int) -> None:
    with claimed(free_port) as ours, claimed(free_port) as theirs:
        assert (ours, theirs) == (True, False)
        with socket.create_server((LOOPBACK, free_port)):  # sets SO_REUSEADDR, as uvicorn does
            pass


def test_a_second_up_starts_nothing_anew(stack: Stack) -> None:
    first = stack.up()
    assert stack.up() == first


def test_settings_changed_under_a_running_stack_are_told_to_wait_and_the_old_ones_shown(
    stack: Stack, free_port: int
) -> None:
    first = stack.up()
    told: list[str] = []
    changed = Stack(
        stack.home.folder,
        plan=stand_in_plan(),
        settings={
            "WINNOW_LLM__BASE_URL": "https://llm.example/v1",
            "WINNOW_API_PORT": str(free_port),
        },
        tell=told.append,
    )
    assert changed.up() == first
    assert told == ["changed settings take effect after `winnow down` and `winnow up`"]
    changed.down()
    second = changed.up()
    assert second.llm_url == "https://llm.example/v1"
    assert second.api_url == f"http://{LOOPBACK}:{free_port}"


def test_a_later_up_starts_only_what_has_died(stack: Stack) -> None:
    first = stack.up()
    os.kill(first.pids["trainer"], signal.SIGKILL)
    wait_until_gone(first.pids["trainer"])
    orphan = child_of(stack.home.log("trainer"))
    states = {process.name: process.state for process in stack.status()}
    assert states == dict.fromkeys(NAMES, "running") | {"trainer": "died"}
    second = stack.up()
    assert second.pids["trainer"] != first.pids["trainer"]
    assert {**second.pids, "trainer": 0} == {**first.pids, "trainer": 0}
    assert not runs(orphan)


def test_a_stack_of_an_earlier_release_gets_the_secrets_that_it_lacks(stack: Stack) -> None:
    stack.home.create()
    path = stack.home.folder / "secrets.json"
    kept = {name: word for name, word in json.loads(path.read_text()).items() if name != "scorer"}
    path.write_text(json.dumps(kept))
    stack.home.create()
    after = json.loads(path.read_text())
    assert after.pop("scorer")
    assert after == kept


def test_a_scorer_of_the_callers_own_is_not_started_again(tmp_path: Path) -> None:
    settings = {"WINNOW_SCORER_URL": "http://10.0.0.7:8070", "WINNOW_SCORER_KEY": "theirs"}
    with Stack(tmp_path / "home", plan=stand_in_plan(), settings=settings) as stack:
        assert {one.name for one in stack.status() if one.state == "running"} == NAMES - {"scorer"}


def test_data_and_secrets_outlive_down(stack: Stack) -> None:
    before = stack.up()
    stack.down()
    after = stack.up()
    assert (after.operator_key, after.api_url) == (before.operator_key, before.api_url)


def test_a_pid_file_whose_pid_now_belongs_to_a_stranger_harms_nobody(stack: Stack) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        pids = stack.up().pids
        record = stack.home.run / "trainer.json"
        text = record.read_text(encoding="utf-8")
        stack.down()
        record.write_text(text.replace(str(pids["trainer"]), str(stranger.pid)), encoding="utf-8")
        states = {process.name: process.state for process in stack.status()}
        assert states["trainer"] == "died"
        assert stack.down() == ["trainer"]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_configured_port_in_use_is_told_and_nothing_stays_behind(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        settings = {"WINNOW_API_PORT": str(port)}
        stack = Stack(tmp_path / "home", plan=stand_in_plan(), settings=settings)
        with pytest.raises(PortTakenError, match=f"Port {port}, meant for api, is in use"):
            stack.up()
    assert {process.state for process in stack.status()} == {"stopped"}


def test_a_service_that_fails_is_quoted_and_the_rest_ended(tmp_path: Path) -> None:
    plan = stand_in_plan(trainer="import sys; sys.exit('no such device: cuda:7')")
    stack = Stack(tmp_path / "home", plan=plan)
    with pytest.raises(ProcessFailedError, match=r"(?s)trainer ended.*exit code 1.*cuda:7"):
        stack.up()
    assert {process.state for process in stack.status()} == {"stopped"}


def test_ctrl_c_in_the_middle_of_up_ends_what_was_started(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.winnow.stand_ins import stand_in_plan\n"
        "from winnow.stack import Stack\n"
        "plan = stand_in_plan(trainer='import time; time.sleep(60)')\n"  # is never ready
        "Stack(Path(sys.argv[1]), plan=plan, tell=lambda line: print(line, flush=True)).up()\n"
    )
    home = tmp_path / "home"
    child = subprocess.Popen([sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        lines = iter(child.stdout.readline, b"")
        assert any(line == b"starting trainer\n" for line in lines)
        pids = [process.pid for process in Stack(home).status() if process.pid is not None]
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == -signal.SIGINT
    assert len(pids) >= 6
    assert not any(map(runs, pids))
    assert {process.state for process in Stack(home).status()} == {"stopped"}


def test_two_commands_at_once_do_not_interleave(stack: Stack) -> None:
    stack.home.create()
    with stack.home.locked(), pytest.raises(HomeBusyError, match="starting or stopping"):
        stack.up()


def test_the_folder_is_private_and_its_secrets_are_not_in_any_log(stack: Stack) -> None:
    stack.up()
    home = stack.home
    assert home.folder.stat().st_mode & 0o077 == 0
    assert (home.folder / "secrets.json").stat().st_mode & 0o077 == 0
    written = "".join(path.read_text(encoding="utf-8") for path in home.logs())
    assert not [
        name for name in ("admin", "app", "valkey", "operator") if home.secret(name) in written
    ]


def test_no_service_sees_the_superuser_and_only_the_api_the_operator_key(stack: Stack) -> None:
    endpoints = stack.up()
    api = set(httpx.get(endpoints.api_url, trust_env=False).text.split())
    rater = set(httpx.get(endpoints.llm_url, trust_env=False).text.split())
    assert {"WINNOW_OPERATOR_KEY", "WINNOW_DATABASE_URL"} <= api
    assert "WINNOW_OPERATOR_KEY" not in rater
    assert not {"WINNOW_ADMIN_DATABASE_URL", "WINNOW_OWNER_DATABASE_URL"} & (api | rater)


def test_a_folder_called_services_or_migrations_where_one_stands_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("services", "migrations"):
        (tmp_path / "here" / name).mkdir(parents=True)
        (tmp_path / "here" / name / "__init__.py").write_text("")
    monkeypatch.chdir(tmp_path / "here")
    look = "import services, migrations; print('of', services.__path__, migrations.__file__)"
    plan = replace(stand_in_plan(), migrations=((sys.executable, "-c", look, "upgrade"),))
    with Stack(tmp_path / "home", plan=plan) as stack:
        told = stack.logs("migrations")
    assert told.startswith("of ")
    assert str(tmp_path) not in told


def test_servers_and_endpoints_of_the_callers_own_are_used_instead(
    tmp_path: Path, valkey_url: str
) -> None:
    settings = {
        "WINNOW_REDIS_URL": valkey_url,
        "WINNOW_LLM__BASE_URL": "https://llm.example/v1",
        "WINNOW_EMBEDDER__BASE_URL": "https://embed.example/v1",
    }
    with Stack(tmp_path / "home", plan=stand_in_plan(), settings=settings) as stack:
        states = {process.name: process.state for process in stack.status()}
        assert states == dict.fromkeys(NAMES, "running") | dict.fromkeys(
            ("valkey", "local_llm"), "stopped"
        )


def test_one_foreign_database_role_wants_all_three(tmp_path: Path) -> None:
    settings = {"WINNOW_DATABASE_URL": "postgresql+psycopg://a:b@db/w"}
    stack = Stack(tmp_path / "home", plan=stand_in_plan(), settings=settings)
    with pytest.raises(StackError, match="set WINNOW_INGEST_DATABASE_URL and WINNOW_OWNER"):
        stack.up()


def test_too_little_disk_is_told_before_anything_starts(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home", plan=stand_in_plan(), least_space=2**60)
    with pytest.raises(DiskFullError, match="set WINNOW_HOME to a folder on another disk"):
        stack.up()
    assert stack.down() == []


def test_a_folder_with_other_files_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    mode = tmp_path.stat().st_mode
    with pytest.raises(StackError, match="holds other files"):
        Stack(tmp_path, plan=stand_in_plan()).up()
    assert tmp_path.stat().st_mode == mode


def test_memory_counts_children_and_shares_no_page_twice(stack: Stack) -> None:
    endpoints = stack.up()
    members = [endpoints.pids["trainer"], child_of(stack.home.log("trainer"))]
    expected = sum(psutil.Process(pid).memory_full_info().pss for pid in members)
    shown = {process.name: process.pss_bytes for process in stack.status()}
    assert shown["trainer"] == pytest.approx(expected, rel=0.1)
    assert stack.pss_bytes() == pytest.approx(sum(shown.values()), rel=0.1)


FOREGROUND = """
import sys
from pathlib import Path
from tests.winnow.stand_ins import stand_in_plan
from winnow import commands
from winnow.errors import StackError
from winnow.stack import Stack
stack = Stack(Path(sys.argv[1]), plan=stand_in_plan())
stack.up()
print("up", flush=True)
try:
    commands._stay(stack)
except StackError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_an_interruption_ends_everything(
    tmp_path: Path, signal_sent: signal.Signals
) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-c", FOREGROUND, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.3)  # until it waits
        child.send_signal(signal_sent)
        told, _ = child.communicate(timeout=20)
        assert child.returncode == 0
    assert told.decode().splitlines()[-2:] == ["stopping ...", "stopped"]
    assert {process.state for process in Stack(home).status()} == {"stopped"}


def test_in_the_foreground_a_death_is_told_and_ends_everything(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-c", FOREGROUND, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        pids = {process.name: process.pid for process in Stack(home).status()}
        os.kill(pids["api"] or 0, signal.SIGKILL)
        _, told = child.communicate(timeout=20)
    assert told.decode().strip() == "api ended unasked: see `winnow logs api`."
    assert {process.state for process in Stack(home).status()} == {"stopped"}
