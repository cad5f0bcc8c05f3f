"""Each image's install, command and health check lines, run in an empty environment.

No engine is here: see built.py for what stands in for one, and for what does not.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from scripts import compose_env
from services.local_llm.weights import PACKAGE
from tests import databases
from tests.containers import built, compose
from tests.containers.built import Built
from tests.containers.dockerfile import IMAGES
from tests.databases import PASSWORDS
from winnow.embedded import ports
from winnow.embedded.launch import launched
from winnow.embedded.valkey import Valkey

pytestmark = pytest.mark.stack

LIGHT = ("api", "llm_worker")
SERVICES = sorted(compose.OURS.keys() - {"migrate", "trainer-gpu"})  # one needs a GPU, one ends
PORTS = {
    "api": "WINNOW_API_PORT",
    "local_llm": "WINNOW_LOCAL_LLM__PORT",
    "scorer": "WINNOW_SCORER_PORT",
}
ANSWERS = {"api": "/health/ready", "local_llm": "/health", "scorer": "/health"}
PATIENCE = 240.0  # seconds until a process must be well where the machine is busy

IMPORT_ALL = """
import importlib, pathlib, sys
app = pathlib.Path.cwd()
for file in sorted(app.rglob("*.py")):
    name = ".".join(file.relative_to(app).with_suffix("").parts)
    aside = name.startswith(("services.shared.", "migrations.versions.", "migrations.env"))
    if not aside and not name.endswith("__main__"):
        importlib.import_module(name.removesuffix(".__init__"))
print("torch" in sys.modules)
"""

Images = Callable[[str], Built]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """Every image, made when first asked for and removed at the end."""
    folders: dict[str, Path] = {}
    made: dict[str, Built] = {}

    def make(name: str) -> Built:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name)
            made[name] = built.build(name, folders[name])
        assert name in made, "its Dockerfile failed before"
        return made[name]

    yield make
    for folder in folders.values():
        built.remove(folder)


@dataclass(frozen=True)
class Stack:
    """The servers and a .env, with which a service gets the environment that compose gives it."""

    postgres: str
    valkey: str
    env: dict[str, str]

    def environment(self, name: str) -> dict[str, str]:
        """Return a service's variables; other hosts are this machine's ports."""
        return {
            key: value.replace("@postgres:5432/", f"@{self.postgres}/").replace(
                "@valkey:6379/", f"@{self.valkey}/"
            )
            for key, value in compose.environment(name, self.env).items()
        }


@pytest.fixture(scope="module")
def stack(
    postgres_server: str, images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A Valkey, and a database that compose's own one-shot made and migrated."""
    folder = tmp_path_factory.mktemp("valkey")
    server = Valkey(folder=folder, port=ports.free_port(), password="valkey", durable=False)
    env = dict(line.split("=", 1) for line in compose_env.content(local=True, gpu=False)[1:]) | {
        "POSTGRES_ADMIN_PASSWORD": "admin",
        "POSTGRES_OWNER_PASSWORD": PASSWORDS["winnow_owner"],
        "POSTGRES_APP_PASSWORD": PASSWORDS["winnow_app"],
        "POSTGRES_INGEST_PASSWORD": PASSWORDS["winnow_ingest"],
        "VALKEY_PASSWORD": "valkey",
    }
    with (folder / "log").open("wb") as log, launched(server, log=log):
        made = Stack(
            postgres=urlsplit(postgres_server).netloc.rpartition("@")[2],
            valkey=urlsplit(server.url).netloc.rpartition("@")[2],
            env=env,
        )
        code, said = images("api").run(
            list(compose.SERVICES["migrate"]["command"]), made.environment("migrate")
        )
        assert code == 0, said
        yield made
        databases.drop(databases.on_server(postgres_server, "winnow"))


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_the_install_lines_are_enough_for_every_module_of_the_image(
    images: Images, name: str
) -> None:
    code, said = images(name).run(["python", "-W", "error", "-c", IMPORT_ALL])
    assert code == 0, said
    assert said.split()[-1] == str(name not in LIGHT)


@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize("package", ["torch", "scipy", "tokenizers", "safetensors", "pytest"])
def test_a_light_image_can_not_import_what_is_heavy(
    images: Images, name: str, package: str
) -> None:
    code, said = images(name).run(["python", "-c", f"import {package}"])
    assert code == 1
    assert f"No module named '{package}'" in said


def test_the_local_endpoint_s_image_brings_the_encoder_s_weights(images: Images) -> None:
    look = f"from importlib.util import find_spec; print(find_spec({PACKAGE!r}).origin)"
    code, said = images("local_llm").run(["python", "-c", look])
    assert code == 0, said
    assert said.startswith(str(images("local_llm").root))


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_a_process_can_write_to_tmp_and_to_its_volumes_alone(images: Images, name: str) -> None:
    image = images(name)
    for folder in ("/app", "/app/services", "/venv"):
        code, said = image.run(["python", "-c", f"open('{folder}/x', 'w')"])
        assert code == 1
        assert "PermissionError" in said or "Read-only file system" in said
    for folder in ("/tmp", *image.volumes):  # noqa: S108 - a mount
        write = f"import os; open('{folder}/x', 'w'); assert os.getuid()"
        assert image.run(["python", "-c", write]) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_becomes_well_by_its_own_check_and_ends_in_time(
    images: Images, stack: Stack, name: str, free_port: int, tmp_path: Path
) -> None:
    service = compose.SERVICES[name]
    image = images(compose.room(name))
    env = stack.environment(name)
    if name in PORTS:
        env[PORTS[name]] = str(free_port)
    own = service.get("healthcheck", {}).get("test", ["CMD"])[1:]
    check = [compose.filled(word, {}) for word in own] or image.stage.health_check

    def well() -> bool:
        return image.run(check, env)[0] == 0

    assert image.run(check, env)[0] == 1
    log = tmp_path / "log"
    with running(image, service.get("command") or image.stage.command, env, log) as process:
        wait(well, process, log)
        if name in ANSWERS:
            answer = httpx.get(f"http://127.0.0.1:{free_port}{ANSWERS[name]}", timeout=30)
            assert answer.status_code == 200, answer.text
        process.send_signal(signal.SIGTERM)
        grace = int(service["stop_grace_period"].removesuffix("s"))
        ended = process.wait(grace)  # uvicorn passes the signal on to itself when all is done
        assert ended in {0, -signal.SIGTERM}, log.read_text(encoding="utf-8")
    assert image.run(check, env)[0] == 1


def test_a_broken_setting_ends_the_process_with_the_name_of_it(images: Images) -> None:
    code, said = images("api").run(["python", "-m", "services.api"])
    assert code == 1
    assert "WINNOW_DATABASE_URL is not set" in said


@contextmanager
def running(
    image: Built, words: list[str], env: dict[str, str], log: Path
) -> "Iterator[subprocess.Popen[str]]":
    process = image.popen(words, env, log=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait(well: Callable[[], bool], process: "subprocess.Popen[str]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not well():
        said = log.read_text(encoding="utf-8")
        assert process.poll() is None, f"it ended with {process.returncode}: {said}"
        assert time.monotonic() < deadline, f"it is not well: {said}"
        time.sleep(0.3)
