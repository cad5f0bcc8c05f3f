"""Every method that can be named has a page, and the five tests that the house asks of it."""

import re
from pathlib import Path

import pytest

from services.recsys.registry import METHODS

ROOT = Path(__file__).resolve().parents[2]

HEADINGS = ("## Equations and code", "## Where the paper is silent, or read otherwise")

FIVE = {
    "operators against slow Python": r"^from tests\.spec import ",
    "its mechanism by hand": r"^def test_\w*by_hand",
    "planted structure is found": r"^def test_\w*(planted|learned)",
    "one seed, one history": r"^def test_one_seed_gives_one_history",
    "its config survives a round trip": r"^def test_a_config_goes_through_json_and_back",
}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_has_a_page_that_maps_equations_to_code(name: str) -> None:
    page = (ROOT / "docs" / "methods" / f"{name}.md").read_text(encoding="utf-8")
    assert [heading for heading in HEADINGS if heading not in page] == []
    assert re.search(r"arXiv \d{4}\.\d{5}", page) is not None
    assert f"methods/{name}.py" in page


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_has_its_five_tests(name: str) -> None:
    tests = (ROOT / "tests" / "recsys" / f"test_{name}.py").read_text(encoding="utf-8")
    lacking = [
        what for what, pattern in FIVE.items() if not re.search(pattern, tests, re.MULTILINE)
    ]
    assert lacking == []


def test_the_code_that_the_pages_name_is_there() -> None:
    named = re.compile(r"`([a-z_/]+\.py)` `([A-Za-z_.]+)`")
    for page in (ROOT / "docs" / "methods").glob("*.md"):
        for path, names in named.findall(page.read_text(encoding="utf-8")):
            code = (ROOT / "services" / "recsys" / path).read_text(encoding="utf-8")
            for part in names.split("."):
                assert re.search(rf"^ *(class|def) {part}\b", code, re.MULTILINE), (path, part)
