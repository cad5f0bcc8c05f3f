"""recsys is a library: it imports no service, and its page's example runs."""

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import services.recsys

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = {"torch", "numpy", "scipy", "safetensors"}

# Runs the code it is given; prints what modules of recsys imported from elsewhere.
WATCHED = """
import builtins, json, sys
found, real = set(), builtins.__import__

def watched(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {}).get("__name__", "")
    if importer.partition(".")[0] == "services":
        found.add(name)
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = watched
page = {"__name__": "page"}
exec(compile(sys.stdin.read(), "docs/library.md", "exec"), page)
import pkgutil, importlib, services.recsys
for module in pkgutil.walk_packages(services.recsys.__path__, "services.recsys."):
    importlib.import_module(module.name)
rooms = {name for name in sys.modules if name.startswith("services.")}
print("FOUND" + json.dumps([sorted(found), sorted(rooms), page["best"].tolist()]))
"""


@pytest.fixture(scope="module")
def page() -> tuple[list[str], list[str], list[list[int]]]:
    """What the page's example and all modules imported, which rooms they read, the lists."""
    text = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", WATCHED],
        input=code,
        cwd=ROOT,
        env=os.environ,  # noqa: TID251 - handed on
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: tuple[list[str], list[str], list[list[int]]] = tuple(
        json.loads(done.stdout.rpartition("FOUND")[2])
    )
    return found


def test_the_pages_example_recommends_unseen_items_of_a_users_own_taste(
    page: tuple[list[str], list[str], list[list[int]]],
) -> None:
    for user, items in enumerate(page[2]):
        assert len(set(items)) == 10
        assert sum(item % 2 == user % 2 for item in items) >= 8


def test_recsys_imports_four_libraries_itself_and_nothing_else(
    page: tuple[list[str], list[str], list[list[int]]],
) -> None:
    tops = {name.partition(".")[0] for name in page[0]}
    assert tops - sys.stdlib_module_names == ALLOWED | {"services"}
    assert [room for room in page[1] if not room.startswith("services.recsys")] == []


def test_every_name_that_the_library_offers_is_where_it_says() -> None:
    offered = {name for names in services.recsys._WHERE.values() for name in names}
    assert offered == set(services.recsys.__all__) == set(dir(services.recsys))
    for module, names in services.recsys._WHERE.items():
        for name in names:
            there = getattr(import_module(f"services.recsys.{module}"), name)
            assert getattr(services.recsys, name) is there


def test_a_name_that_is_not_offered_is_refused() -> None:
    with pytest.raises(AttributeError, match="'Lightfm'"):
        _ = services.recsys.Lightfm
