"""Each Dockerfile keeps the house's rules: no root, no torch where none is due, exec forms."""

import re
import tomllib

import pytest

from scripts.install import TORCH
from scripts.locks import pins
from services.shared import probe
from tests.containers.dockerfile import IMAGES, ROOT, ignored, image, stages
from winnow.plan import SERVICES

NAMES = sorted(IMAGES)
LIGHT, HEAVY = {"api", "llm_worker"}, {"trainer", "local_llm"}
BASE = re.compile(r"python:3\.\d+-slim-\w+")


def test_every_room_that_runs_has_its_dockerfile() -> None:
    assert set(NAMES) == LIGHT | HEAVY
    assert {service.command[2].split(".")[1] for service in SERVICES} == set(NAMES)


def test_all_images_stand_on_one_pinned_slim_base() -> None:
    bases = {stage.base for path in IMAGES.values() for stage in stages(path)}
    assert len(bases) == 1
    assert BASE.fullmatch(bases.pop())


@pytest.mark.parametrize("name", NAMES)
def test_an_image_runs_as_a_user_of_fixed_number_who_owns_no_code(name: str) -> None:
    made = image(name)
    assert made.last("USER") == "10001:10001"
    assert "--uid 10001 --gid 10001" in made.last("RUN")
    order = [word for word, _ in made.lines]
    assert order.index("USER") > max(i for i, word in enumerate(order) if word in {"COPY", "RUN"})
    assert [line for line in made.all("COPY") if "--chown" in line] == []
    assert made.environment["PYTHONDONTWRITEBYTECODE"] == "1"


@pytest.mark.parametrize("name", NAMES)
def test_the_final_stage_installs_nothing_and_takes_no_file_from_outside(name: str) -> None:
    made = image(name)
    assert [line for line in made.all("RUN") if re.search(r"\b(pip|apt|apt-get)\b", line)] == []
    assert [line for line in made.all("COPY") if not line.startswith("--from=")] == []


@pytest.mark.parametrize("name", NAMES)
def test_command_and_health_check_need_no_shell(name: str) -> None:
    made = image(name)
    assert made.command[:2] == ["python", "-m"]
    assert made.health_check[:3] == ["python", "-m", probe.__name__]
    assert made.last("STOPSIGNAL") == "SIGTERM"


@pytest.mark.parametrize("name", NAMES)
def test_every_line_installs_by_hash_and_without_a_resolver_but_torchs(name: str) -> None:
    lines = [
        part
        for stage in stages(IMAGES[name])
        for line in stage.all("RUN")
        for part in line.split("&&")
        if " install " in part and "pip" in part
    ]
    torch = [line for line in lines if "torch==" in line]
    assert len(torch) == (name in HEAVY)
    for line in lines:
        assert "--no-cache-dir" in line
        assert "--only-binary :all:" in line
        assert line in torch or ("--no-deps" in line and "--require-hashes" in line)


def test_both_images_with_torch_share_its_layer_and_the_tried_version() -> None:
    first, second = ([stages(IMAGES[name])[0], image(name).lines[0]] for name in sorted(HEAVY))
    assert first == second
    assert f"torch=={TORCH}" in stages(IMAGES["trainer"])[0].last("RUN")


@pytest.mark.parametrize("name", sorted(LIGHT))
def test_a_light_image_never_hears_of_torch(name: str) -> None:
    instructions = [line for stage in stages(IMAGES[name]) for line in stage.lines]
    assert [line for line in instructions if "torch" in line[1].lower()] == []
    held = pins(ROOT / "requirements" / f"{name}.lock").keys()
    assert held & {"torch", "scipy", "tokenizers", "safetensors", "psutil"} == set()


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_labelled_with_the_project_s_version(name: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    label = image(name).last("LABEL")
    assert f'org.opencontainers.image.version="{version}"' in label
    for word in ("title", "description", "licenses"):
        assert f"org.opencontainers.image.{word}=" in label


@pytest.mark.parametrize("name", NAMES)
def test_no_layer_holds_a_secret(name: str) -> None:
    for stage in stages(IMAGES[name]):
        said = " ".join(stage.all("ENV") + stage.all("ARG")).upper()
        assert re.search(r"PASSWORD|SECRET|TOKEN|_KEY|_URL=\"?(POSTGRES|REDIS)", said) is None


@pytest.mark.parametrize(
    ("path", "outside"),
    [
        (".env", True),
        (".git/config", True),
        (".winnow/secrets.json", True),
        ("tests/conftest.py", True),
        ("services/api/main.py", False),
        ("services/api/__pycache__/main.cpython-311.pyc", True),
        ("services/trainer/bench/ials.py", True),
        ("services/trainer/pipeline/train.py", False),
        ("services/local_llm/data/idf.safetensors", False),
        ("migrations/versions/0001_tables.py", False),
        ("requirements/api.lock", False),
        ("requirements/api.in", True),
        ("README.md", True),
    ],
)
def test_only_what_is_named_is_sent_to_the_builder(path: str, outside: bool) -> None:  # noqa: FBT001 - a row of the table
    assert ignored(path) is outside
