"""Are the lock files what their .in files ask for? Answered from the files alone, offline.

uv notes under each pin who wanted it (`# via -r requirements/main.in`), so that both directions
can be compared: nothing asked for is missing, and nothing pinned for an .in has left it.
"""

import re
import sys
from pathlib import Path

APART = ("recbole",)  # in an environment of its own, where it disturbs nobody
IMAGES = ("api", "llm_worker", "trainer", "local_llm", "torch")  # torch: a layer of two images
REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", re.IGNORECASE)
ASKED = re.compile(r"^([a-z0-9][a-z0-9._-]*)", re.IGNORECASE)


def problems(folder: Path = REQUIREMENTS) -> list[str]:
    """Return a sentence for each thing that is stale or unsafe; none when all is well."""
    found = []
    for source in sorted(folder.glob("*.in")):
        lock = source.with_suffix(".lock")
        if not lock.exists():
            found.append(f"{lock.name} is missing")
            continue
        wished, pinned = asked(source), _pinned_for(source.name, lock)
        found += [f"{lock.name} lacks {name}: compile it anew" for name in sorted(wished - pinned)]
        found += [f"{source.name} no longer asks for {name}" for name in sorted(pinned - wished)]
    for lock in sorted(folder.glob("*.lock")):
        found += _unsafe(lock)
    return found + _disagreements(folder) + _strangers(folder)


def pins(lock: Path) -> dict[str, set[str]]:
    """Return the pinned versions by package; two where Python versions differ."""
    versions: dict[str, set[str]] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        match = PIN.match(line)
        if match:
            versions.setdefault(_normal(match[1]), set()).add(match[2])
    return versions


def asked(source: Path) -> set[str]:
    """Return the names that an .in file asks for."""
    lines = source.read_text(encoding="utf-8").splitlines()
    return {_normal(match[1]) for match in map(ASKED.match, lines) if match}


def _pinned_for(source: str, lock: Path) -> set[str]:
    wanted, name = set(), ""
    for line in lock.read_text(encoding="utf-8").splitlines():
        match = PIN.match(line)
        name = _normal(match[1]) if match else name
        if line.lstrip().startswith("#") and line.endswith(f"-r requirements/{source}"):
            wanted.add(name)
    return wanted


def _unsafe(lock: Path) -> list[str]:
    found = [f"{lock.name} pins torch, which is installed apart"] if "torch" in pins(lock) else []
    blocks = re.split(r"\n(?=[a-z0-9])", lock.read_text(encoding="utf-8"), flags=re.IGNORECASE)
    bare = [PIN.match(block) for block in blocks if "--hash=sha256:" not in block]
    return found + [f"{lock.name} pins {match[1]} without a hash" for match in bare if match]


def _disagreements(folder: Path) -> list[str]:
    main = pins(folder / "main.lock")
    return [
        f"{lock.name} and main.lock pin different versions of {name}"
        for lock in sorted(folder.glob("*.lock"))
        if lock.stem not in APART
        for name, versions in sorted(pins(lock).items())
        if name in main and main[name] != versions
    ]


def _strangers(folder: Path) -> list[str]:
    """An image holds a part of what is tested: nothing of its own."""
    main = pins(folder / "main.lock")
    return [
        f"{image}.lock pins {name}, which main.lock lacks"
        for image in IMAGES
        for name in sorted(pins(folder / f"{image}.lock").keys() - main.keys())
    ]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    told = problems()
    print("\n".join(told) or "lock files: fresh")
    sys.exit(bool(told))
