"""The list of mutants cannot rot: each still has one place in the code, and tests to kill it."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants import __main__ as entry
from tests.mutants.mutant import ROOT, Mutant
from tests.mutants.planted import MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.mistake)
def test_a_mutant_has_one_place_changes_it_and_is_still_python(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    planted = mutant.planted(text)
    assert planted != text
    ast.parse(planted)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.mistake)
def test_a_mutant_names_tests_that_exist(mutant: Mutant) -> None:
    assert mutant.tests
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8") if name else True
        assert (ROOT / path).exists()


def test_mutants_are_listed_without_being_planted(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(MUTANTS)
    for line, mutant in zip(lines, MUTANTS, strict=True):
        assert all(word in line for word in (mutant.file, mutant.mistake, *mutant.tests))
    assert entry.main(["--list", MUTANTS[0].mistake]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert entry.main(["--list", "no such mistake"]) == 2


def test_mistakes_have_names_of_their_own() -> None:
    assert [name for name, n in Counter(m.mistake for m in MUTANTS).items() if n > 1] == []


def _tests(folder: str) -> Iterator[Path]:
    return (ROOT / "tests" / folder).glob("test_*.py")


def test_the_page_of_the_cores_tests_names_tests_that_exist() -> None:
    page = (ROOT / "docs" / "core-tests.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    files = (path for of in ("recsys", "trainer_bench") for path in _tests(of))
    there = set(re.findall(r"^def (test_\w+)", "\n".join(map(Path.read_text, files)), re.MULTILINE))
    assert named - there == set()
