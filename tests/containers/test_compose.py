"""docker-compose.yml holds the whole stack: every process, every setting, no secret too many."""

import re
from typing import Any

import pytest

from scripts import compose_env, env_example
from services.shared.queues import Queue
from services.shared.settings import Settings
from tests.containers.compose import FILE, OURS, ROOT, SERVICES, TEXT, VARIABLE, filled, room
from tests.containers.dockerfile import image
from winnow.plan import PRIVATE
from winnow.plan import SERVICES as PLANNED

SERVERS = ("postgres", "valkey")
IN_PLAN = {"migrate": "migrations", "trainer-gpu": "trainer"}
"""Names that `winnow up` has for them."""

SET_BY_THE_IMAGE = {
    "WINNOW_API_HOST",  # a container listens on all of its own addresses
    "WINNOW_API_PORT",  # inside; API_PORT is the host's
    "WINNOW_SCORER_HOST",
    "WINNOW_SCORER_PORT",
    "WINNOW_LOCAL_LLM__HOST",
    "WINNOW_LOCAL_LLM__PORT",
    "WINNOW_ARTIFACTS_URL",  # where the volume is mounted
    "WINNOW_SPOOL_DIR",
    "WINNOW_PULSE_FILE",
    "WINNOW_METRICS_HOST",
}
LEFT_OUT = {"WINNOW_LOCAL_LLM__ENCODER_PATH"}  # the image brings the weights


def given(name: str) -> set[str]:
    """Return the variables that a service's container gets from this file."""
    return set(SERVICES[name].get("environment") or {})


def settings() -> set[str]:
    """Return the variable of every setting."""
    lines = "".join(env_example.lines("WINNOW_", Settings.model_fields))
    return set(re.findall(r"^(?:# )?(WINNOW_\w+)=", lines, re.MULTILINE))


def command(name: str) -> list[str]:
    """Return what a service runs: its own command, else its image's."""
    return list(SERVICES[name].get("command") or image(room(name)).command)


def test_every_process_of_winnow_up_is_a_service_with_the_same_command() -> None:
    for service in PLANNED:
        assert command(service.name) == ["python", *service.command[1:]]


@pytest.mark.parametrize("queue", list(Queue))
def test_every_queue_has_its_process_without_any_profile(queue: Queue) -> None:
    named = re.compile(rf'\bQueue\.{queue.name}\b|"(\w+,)*{queue.value}(,\w+)*"')
    drains = []
    for name in OURS:
        app = ROOT.joinpath(*command(name)[-1].split("."), "app.py")
        if not SERVICES[name].get("profiles") and app.exists():
            drains += [name] if named.search(app.read_text("utf-8")) else []
    assert len(drains) == 1


def test_every_setting_reaches_a_container_or_is_set_by_its_image() -> None:
    passed = set().union(*(given(name) for name in OURS))
    assert settings() - passed == SET_BY_THE_IMAGE | LEFT_OUT
    constant = set().union(*(image(room(name)).environment for name in OURS))
    assert constant >= SET_BY_THE_IMAGE


def test_every_variable_of_ours_is_a_setting() -> None:
    passed = set().union(*(given(name) for name in OURS))
    constant = set().union(*(image(room(name)).environment for name in OURS))
    known = {name for name in passed | constant if name.startswith("WINNOW_")}
    assert known <= settings()


def test_every_variable_has_its_line_in_the_example_with_the_same_default() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    asked = {match[2]: match for match in VARIABLE.finditer(TEXT) if match[2]}
    alone = {name for name in asked if name not in settings()}
    assert alone | {"COMPOSE_PROFILES"} == env_example.COMPOSE.keys()
    for name, match in asked.items():
        default = match[4] if match[3] == ":-" else ""
        line = f"# {name}={default}" if default else f"{name}="
        assert line in example.splitlines()


def test_a_secret_has_no_default() -> None:
    secret = re.compile(r"_(PASSWORD|KEY)$")
    for match in VARIABLE.finditer(TEXT):
        if match[2] and secret.search(match[2]):
            assert match[3] == ":?"


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_service_knows_no_secret_that_is_not_its_business(name: str) -> None:
    planned = IN_PLAN.get(name, name)
    assert [secret for secret in given(name) if planned not in PRIVATE.get(secret, {planned})] == []


def test_the_broker_s_password_is_known_to_those_who_send_or_take_messages() -> None:
    strangers = {name for name in OURS if "WINNOW_REDIS_URL" not in given(name)}
    assert strangers == {"migrate", "scorer", "local_llm"}


@pytest.mark.parametrize("secret", sorted(PRIVATE))
def test_whose_business_a_secret_is_gets_it(secret: str) -> None:
    names = {IN_PLAN.get(name, name) for name in OURS if secret in given(name)}
    assert names == PRIVATE[secret]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_can_neither_write_outside_its_volumes_nor_gain_a_right(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    user = service.get("user") or image(room(name)).last("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert any(mount.startswith("/tmp:") for mount in service["tmpfs"])  # noqa: S108 - a mount


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_has_limits_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    assert service["pids_limit"] > 0
    assert service["mem_limit"]
    assert service["stop_grace_period"].endswith("s")
    assert {"max-size", "max-file"} <= service["logging"]["options"].keys()


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"migrate"}))
def test_a_container_tells_whether_it_is_well(name: str) -> None:
    own = SERVICES[name].get("healthcheck")
    assert own or image(room(name)).health_check
    if name in OURS and own:
        assert own["test"][:4] == ["CMD", "python", "-m", "services.shared.probe"]


def test_whoever_takes_messages_is_asked_for_its_pulse() -> None:
    for name, service in OURS.items():
        app = ROOT.joinpath(*command(name)[-1].split("."), "app.py")
        if app.exists() and "worker_main" in app.read_text("utf-8"):
            own = service.get("healthcheck", {}).get("test", ["CMD"])[1:]
            pulse = image(room(name)).environment["WINNOW_PULSE_FILE"]
            assert (own or image(room(name)).health_check)[-2:] == ["--pulse", pulse]


def test_only_the_api_is_published_and_by_default_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"api"}
    (port,) = published["api"]
    assert filled(port, {}) == "127.0.0.1:8080:8080"


def test_the_servers_and_whoever_need_not_leave_stay_inside() -> None:
    assert FILE["networks"]["inside"]["internal"] is True
    leaving = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert leaving == {"api", "llm_worker", "scorer"}
    assert all("inside" in service["networks"] for service in SERVICES.values())


def test_a_volume_is_mounted_where_its_image_made_the_folder_for_its_user() -> None:
    for name, service in OURS.items():
        for mount in service.get("volumes", []):
            volume, folder = mount.split(":")
            assert volume in FILE["volumes"]
            made = image(room(name)).last("RUN").partition("install -d -o winnow -g winnow")[2]
            assert folder in made.split()


def test_what_is_waited_for_can_come_to_pass() -> None:
    for service in SERVICES.values():
        for name, wait in service.get("depends_on", {}).items():
            one_shot = SERVICES[name]["restart"] == "no"
            wanted = "service_completed_successfully" if one_shot else "service_healthy"
            assert wait["condition"] == wanted


def test_two_services_of_one_image_are_built_alike() -> None:
    built: dict[str, Any] = {}
    for service in OURS.values():
        assert built.setdefault(service["image"], service["build"]) == service["build"]
        assert re.fullmatch(r"winnow-[a-z-]+:\w+", service["image"])


def test_a_trainer_on_a_gpu_is_asked_for_by_profile_alone() -> None:
    gpu = SERVICES["trainer-gpu"]
    assert gpu["profiles"] == ["gpu"]
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert gpu["environment"] == SERVICES["trainer"]["environment"]
    assert SERVICES["local_llm"]["profiles"] == ["local"]


def env_of(lines: list[str]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("gpu", [False, True])
def test_a_generated_env_file_fills_every_variable(gpu: bool) -> None:  # noqa: FBT001 - both ways
    env = env_of(compose_env.content(local=True, gpu=gpu))
    assert filled(TEXT, env)
    assert env["COMPOSE_PROFILES"].split(",") == ["local", "gpu"][: 1 + gpu]
    assert env["CPU_TRAINERS"] == ("0" if gpu else "1")
    assert env.keys() <= settings() | env_example.COMPOSE.keys()


def test_with_an_endpoint_of_one_s_own_the_lines_to_fill_in_are_named() -> None:
    env = env_of(compose_env.content(local=False, gpu=False))
    with pytest.raises(ValueError, match="WINNOW_LLM__BASE_URL: where the language model is"):
        filled(TEXT, env)
    asked = ("WINNOW_LLM__BASE_URL", "WINNOW_LLM__MODEL")
    embedder = ("WINNOW_EMBEDDER__BASE_URL", "WINNOW_EMBEDDER__MODEL")
    assert filled(TEXT, env | dict.fromkeys(asked + embedder, "x"))
