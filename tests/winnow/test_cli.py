"""The `winnow` command: each failure is one sentence with an exit code of its own."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from winnow import cli, errors
from winnow.errors import (
    ApiRefusedError,
    HomeUnusableError,
    NotRunningError,
    SettingError,
    UnknownNameError,
    UnsupportedPlatformError,
)
from winnow.home import Home
from winnow.host import check_platform
from winnow.rest import Rest

Served = tuple[Rest, list[tuple[str, str, Any]]]


class FakeApi(BaseHTTPRequestHandler):
    """Answers as the contract says, and remembers what it was asked."""

    seen: ClassVar[list[tuple[str, str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append(("POST", self.path, body))
        if body["name"] == "taken":
            problem = {"code": "PROJECT_EXISTS", "detail": "there is one of this name"}
            self.answer(409, problem)
        else:
            self.answer(201, {"id": "0199-3", "key": "wn_ijkl_secret"})

    def do_DELETE(self) -> None:
        self.seen.append(("DELETE", self.path, self.headers["Authorization"]))
        self.send_response(204)
        self.end_headers()

    def answer(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Served]:
    FakeApi.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), FakeApi) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Rest(f"http://127.0.0.1:{server.server_port}", operator_key="op"), FakeApi.seen
        server.shutdown()


def test_a_key_is_made_for_a_project_with_a_role(api: Served) -> None:
    rest, seen = api
    created = rest.create_key(project_id="p", name="shop", role="write")
    assert created["key"] == "wn_ijkl_secret"
    assert seen == [("POST", "/v1/keys", {"project_id": "p", "name": "shop", "role": "write"})]


@pytest.mark.parametrize("named", ["efgh", "wn_efgh", "wn_efgh_secret"])
def test_a_key_is_revoked_by_its_prefix_and_its_secret_stays_here(api: Served, named: str) -> None:
    rest, seen = api
    rest.revoke_key(named)
    assert seen == [("DELETE", "/v1/keys/efgh", "Bearer op")]


def test_a_key_is_revoked_by_its_id_within_its_project(api: Served) -> None:
    rest, seen = api
    rest.revoke_key("0199-2", project_id="p")
    assert seen == [("DELETE", "/v1/keys/0199-2?project_id=p", "Bearer op")]


def test_a_refusal_quotes_the_problem(api: Served) -> None:
    rest, _ = api
    with pytest.raises(ApiRefusedError, match="409 PROJECT_EXISTS: there is one of this name"):
        rest.create_project("taken")


def test_an_api_that_is_away_is_told_as_such(free_port: int) -> None:
    with pytest.raises(NotRunningError, match="does not answer"):
        Rest(f"http://127.0.0.1:{free_port}", operator_key="op").create_project("p")


def test_commands_that_need_a_running_stack_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.run(["--home", str(tmp_path / "none"), "project", "create", "shop"])
    assert code == NotRunningError.exit_code
    assert "start the stack with `winnow up`" in capsys.readouterr().err


def test_down_and_status_without_a_stack_make_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "none"
    assert cli.run(["--home", str(home), "down"]) == 0
    assert cli.run(["--home", str(home), "status"]) == 0
    assert capsys.readouterr().out.startswith("nothing is running")
    assert not home.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WINNOW_API_PORT", "abc"),
        ("WINNOW_API_PORT", "99999"),
        ("WINNOW_LOCAL_LLM__PORT", "0"),
        ("WINNOW_LLM__BASE_URL", "nonsense"),
        ("WINNOW_LLM__BASE_URL", "http:///v1"),
        ("WINNOW_EMBEDDER__BASE_URL", "http://llm:port/v1"),
    ],
)
def test_a_setting_that_nothing_can_start_with_is_told_before_anything_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
) -> None:
    monkeypatch.setenv(name, value)
    assert cli.run(["--home", str(tmp_path / "home"), "up"]) == SettingError.exit_code
    assert capsys.readouterr().err.startswith(f"winnow: {name} is ")
    assert not list((tmp_path / "home" / "run").iterdir())


def test_a_home_that_can_not_be_made_is_told_with_what_helps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["--home", "/proc/winnow", "up"]) == HomeUnusableError.exit_code
    told = capsys.readouterr().err
    assert told.startswith("winnow: /proc/winnow can not be made or written (")
    assert "--home or WINNOW_HOME" in told


def test_a_log_of_no_process_is_told_with_the_names_that_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path / "home")
    home.create()
    for name in ("api", "trainer"):
        home.log(name).touch()
    assert cli.run(["--home", str(home.folder), "logs", "nope"]) == UnknownNameError.exit_code
    assert "no log of 'nope' here; there are: api, trainer." in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["keys", "create", "--project", "shop"], ["keys", "revoke", "k", "--project", "s"]]
)
def test_a_projects_name_in_its_ids_place_is_told_before_the_api_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert cli.run(["--home", str(tmp_path / "none"), *command]) == 2
    assert "give the one that `winnow project create` printed" in capsys.readouterr().err


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["fly"]) == 2
    assert "No such command 'fly'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ({"system": "Darwin"}, "does not run on macOS: it runs on Linux with glibc"),
        ({"system": "Windows"}, "does not run on Windows: it runs on Linux with glibc"),
        ({"machine": "riscv64"}, "no embedded servers for riscv64"),
        ({"libc": ""}, "built for glibc.*musl"),
    ],
)
def test_an_unsupported_host_gets_a_clear_word(host: dict[str, str], sentence: str) -> None:
    supported = {"system": "Linux", "machine": "x86_64", "libc": "glibc"}
    check_platform(**supported)
    with pytest.raises(UnsupportedPlatformError, match=sentence):
        check_platform(**{**supported, **host})


def test_every_failure_has_an_exit_code_of_its_own() -> None:
    kinds: list[type[errors.StackError]] = [errors.StackError, *errors.StackError.__subclasses__()]
    codes = [kind.exit_code for kind in kinds]
    assert sorted(codes) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
