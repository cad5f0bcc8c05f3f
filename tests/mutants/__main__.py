"""Plants each mutant in a copy of the tree and tells which test killed it: `make mutants`.

    python -m tests.mutants [words]     only the mutants whose mistake or file holds a word
    python -m tests.mutants --list [words]      name them, run nothing

Before that the same tests run on the code as it is: a test that fails anyway has noticed nothing.
Ends with 1 if a mutant survives.
"""

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.mutant import Mutant
from tests.mutants.nursery import Outcome, copies, outcomes
from tests.mutants.planted import MUTANTS

LIST = "--list"


def chosen(words: list[str]) -> list[Mutant]:
    """Return the mutants that a word names, all without words."""
    return [m for m in MUTANTS if not words or any(w in f"{m.file} {m.mistake}" for w in words)]


def told(outcome: Outcome) -> tuple[str, bool]:
    """Return the row of an outcome and whether it is as it should be."""
    test = outcome.failed.partition("::")[2] or outcome.failed
    if outcome.mutant is None:
        well = not outcome.failed and not outcome.broken
        return f"as it is: {outcome.broken or outcome.failed or 'all passed'}", well
    where = Path(outcome.mutant.file).name
    killed = bool(outcome.failed)
    by = test if killed else f"SURVIVED {outcome.broken}".strip()
    return f"{where:<17} {outcome.mutant.mistake:<66} {by}", killed


def run(mutants: Iterable[Mutant], number: int) -> int:
    """Run them all, print a row each, return how many went wrong."""
    mutants = list(mutants)
    files = sorted({test for mutant in mutants for test in mutant.tests})
    jobs = [(None, (file,)) for file in files] + [(mutant, mutant.tests) for mutant in mutants]
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="winnow-mutants-") as folder:
        for outcome in outcomes(jobs, copies(Path(folder), number)):
            row, well = told(outcome)
            wrong += not well
            if outcome.mutant is not None or not well:
                print(row, flush=True)  # noqa: T201 - the table
    print(f"{len(mutants)} mutants, {wrong} wrong")  # noqa: T201 - its end
    return wrong


def listed(mutants: Iterable[Mutant]) -> str:
    """Return file, mistake and tests of each, a line a mutant."""
    return "\n".join(f"{m.file:<40} {m.mistake:<66} {', '.join(m.tests)}" for m in mutants)


def main(arguments: list[str]) -> int:
    """Run the mutants that the words name, or list them."""
    words = [word for word in arguments if word != LIST]
    found = chosen(words)
    if found and LIST in arguments:
        print(listed(found))  # noqa: T201 - the table
        return 0
    if not found:
        print(f"no mutant is named by {' '.join(words)}", file=sys.stderr)  # noqa: T201 - a usage
        return 2
    return int(run(found, min(len(os.sched_getaffinity(0)), 8)) > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
