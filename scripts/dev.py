#!/usr/bin/env python3
"""The developer's entry points: setup, demo, test, check, soak, mutants, bench, migrate.

Needs nothing but Python 3.11-3.13 with pip on glibc Linux. Everything is installed into .venv
beside this checkout; the Makefile calls this file.

    python3 scripts/dev.py demo [DATA=folder] [KEEP=1]
"""

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PYTHONS = ((3, 11), (3, 14))  # from, below


def refuse_unsupported() -> None:
    """Exit with one sentence where the stack can not run."""
    system = {"Darwin": "macOS"}.get(platform.system(), platform.system())
    if system != "Linux":
        sys.exit(
            f"Winnow's own stack does not run on {system}: it runs on Linux with glibc, "
            "such as Debian or Ubuntu; a virtual machine will do."
        )
    if platform.libc_ver()[0] != "glibc":
        sys.exit("The embedded servers and torch are built for glibc; this Linux has another libc.")
    if not PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]:
        version = platform.python_version()
        sys.exit(f"Python 3.11 to 3.13 is needed, and this is {version}: try python3.11 {__file__}")


def demo(words: list[str]) -> int:
    """One real run on a fresh stack: `[DATA=folder] [KEEP=1]`."""
    real = bool(os.environ.get("DATA")) or any(word.startswith("--data") for word in words)
    return run("-m", "winnow.demo", *words, install="data" if real else "demo")


def test(words: list[str]) -> int:
    """The tests, two processes with one thread each; words go to pytest."""
    return run("-m", "pytest", "-n", "2", "--dist", "loadfile", *words)


def soak(words: list[str]) -> int:
    """The long series: faults on a running stack, then every property with thousands of examples.

    Among the tests of that profile are twenty trainings that are killed and resumed. Words go to
    the faults (`--help` lists them), those behind `--` to pytest.
    """
    split = words.index("--") if "--" in words else len(words)
    broken = run("-m", "tests.faults", *words[:split])
    fuzzed = run("-m", "pytest", "-n", "2", "--hypothesis-profile", "soak", *words[split + 1 :])
    return broken or fuzzed


def mutants(words: list[str]) -> int:
    """Plant each mistake of tests/mutants in a copy and tell which test notices it.

    Words choose mutants by their file or their mistake; with --list they are named, not planted.
    """
    return run("-m", "tests.mutants", *words)


def bench(words: list[str]) -> int:
    """The tables from files; words go to the bench."""
    return run("-m", "services.trainer.bench", *words, install="bench")


def migrate(words: list[str]) -> int:
    """Bring the database that WINNOW_OWNER_DATABASE_URL names up to date."""
    return run("-m", "migrations", *(words or ["upgrade"]), install="demo")


def check(_words: list[str]) -> int:
    """Style, types, imports, lock and container files; all of them, even after a failure."""
    failed = [command[0] for command in CHECKS if run(*command[1:], quiet_as=command[0]) != 0]
    print(f"check: {', '.join(failed)} failed" if failed else "check: all well")
    return int(bool(failed))


CHECKS = (
    ("lint", "-m", "ruff", "check", "."),
    ("format", "-m", "ruff", "format", "--check", "."),
    ("types", "-m", "mypy"),
    ("imports", "-c", "from importlinter.cli import lint_imports_command as run; run()"),
    ("locks", "-m", "scripts.locks"),
    ("containers", "-m", "scripts.containers"),
)


def setup(_words: list[str]) -> int:
    """Install everything that tests and checks need."""
    install_for("dev")
    return 0


def run(*arguments: str, install: str = "dev", quiet_as: str = "") -> int:
    """Run the environment's Python in the checkout; return its exit code, Ctrl-C's included."""
    python = install_for(install)
    if quiet_as:
        print(f"== {quiet_as}", flush=True)
    child = subprocess.Popen([str(python), *arguments], cwd=ROOT, env=environment())
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())  # it has servers to end in order
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue  # the child got it, too, and ends in its own order


def install_for(purpose: str) -> Path:
    """Make .venv fit for the purpose and return its Python."""
    from scripts.install import Install  # noqa: PLC0415 - needs fcntl: first the platform check

    return Install(ROOT, purpose).run()


def environment() -> dict[str, str]:
    """Return our environment for a child: one thread per process, no user packages."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "PYTHONNOUSERSITE": "1",
    }


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    command.__name__: command
    for command in (setup, demo, test, check, soak, mutants, bench, migrate)
}


def main(arguments: list[str]) -> int:
    """Run one command; NAME=VALUE words become its environment, as with make."""
    if not arguments or arguments[0] not in COMMANDS:
        print(f"usage: dev.py {' | '.join(COMMANDS)}", file=sys.stderr)
        return 2
    refuse_unsupported()
    words = []
    for word in arguments[1:]:
        name, equals, value = word.partition("=")
        if equals and name.isupper():
            os.environ[name] = value
        else:
            words.append(word)
    return COMMANDS[arguments[0]](words)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
