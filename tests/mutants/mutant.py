"""A mistake that could be made in the core, and the tests that must notice it."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE, TESTS = "services/recsys/", "tests/recsys/test_"


@dataclass(frozen=True)
class Mutant:
    """One text of one file, and what stands there by mistake."""

    mistake: str  # in words, unique
    file: str
    old: str  # occurs once in the file
    new: str
    tests: tuple[str, ...]  # what pytest is given: files, or single tests where a file is slow

    def planted(self, text: str) -> str:
        """Return the file's text with the mistake; a ValueError where it has no single place."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file}: {self.old!r} stands there {text.count(self.old)} times")
        return text.replace(self.old, self.new)


def core(mistake: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    """Return a mutant of services/recsys; tests are named by what follows tests/recsys/test_."""
    named = tuple(TESTS + test.replace("::", ".py::", 1) for test in tests)
    whole = tuple(test if "::" in test else f"{test}.py" for test in named)
    return Mutant(mistake, CORE + file, old, new, whole)
