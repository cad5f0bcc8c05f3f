"""An image asks for what its rooms import, and for nothing that they do not."""

import sys
from importlib import metadata

import grimp
import pytest
from packaging.requirements import Requirement

from scripts.locks import REQUIREMENTS, asked, pins
from tests.containers.dockerfile import IMAGES, ROOT, ignored, stages

APART = {"torch"}  # installed by a line of its own

CHOSEN_BY_NAME = {
    "api": {"httptools", "uvloop", "redis"},  # uvicorn's, where they are; the broker's driver
    "local_llm": {"httptools", "uvloop"},
    "llm_worker": {"psycopg", "redis"},  # SQLAlchemy and Celery load them as their URLs say
    "trainer": {"psycopg", "redis", "httptools", "uvloop"},  # of the scorer as well
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("services", "migrations", include_external_packages=True)


def rooms(name: str) -> set[str]:
    """Return the packages that an image's Dockerfile copies; of `shared`, what they need counts."""
    copied = [line.split() for stage in stages(IMAGES[name]) for line in stage.all("COPY")]
    folders = {source for words in copied for source in words[:-1] if (ROOT / source).is_dir()}
    return {folder.replace("/", ".") for folder in folders if folder != "services/shared"}


def modules(graph: grimp.ImportGraph, name: str) -> set[str]:
    """Return the modules that an image holds for its own sake."""
    found = {each for room in rooms(name) for each in {room} | graph.find_descendants(room)}
    return {each for each in found if not ignored(each.replace(".", "/"))}


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_what_is_imported_is_asked_for_and_the_reverse(graph: grimp.ImportGraph, name: str) -> None:
    own = modules(graph, name)
    reached = own.union(*(graph.find_upstream_modules(module) for module in own))
    outside = {module.split(".")[0] for module in reached} - {"services", "migrations"}
    imported = {one.replace("_", "-") for one in outside - sys.stdlib_module_names - APART}
    wished = asked(REQUIREMENTS / f"{name}.in")
    assert imported - wished == set()
    assert wished - imported <= CHOSEN_BY_NAME[name]


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_what_is_imported_of_ours_is_copied(graph: grimp.ImportGraph, name: str) -> None:
    own = modules(graph, name)
    reached = own.union(*(graph.find_upstream_modules(module) for module in own))
    ours = {one for one in reached if one.split(".")[0] in {"services", "migrations"}}
    allowed = (*sorted(rooms(name)), "services.shared")
    assert [one for one in sorted(ours - {"services"}) if not one.startswith(allowed)] == []
    assert [one for one in sorted(ours - {"services"}) if ignored(one.replace(".", "/"))] == []


def test_torch_finds_all_that_it_needs_before_its_index_is_asked() -> None:
    held = pins(REQUIREMENTS / "torch.lock")
    wanted = [Requirement(line) for line in metadata.requires("torch") or []]
    for one in wanted:
        if one.name.startswith(("nvidia", "cuda", "triton")):
            continue  # a GPU's: they come from the index that has the torch for it
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            name = one.name.replace("_", "-")
            assert held.get(name), f"torch.in lacks {name}"
            assert all(one.specifier.contains(version) for version in held[name])
