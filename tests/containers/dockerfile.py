"""A Dockerfile as the tests read it: its stages, and what stands in each."""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMAGES = {path.parent.name: path for path in sorted(ROOT.glob("services/*/Dockerfile"))}


@dataclass
class Stage:
    """One FROM and what follows it; the last stage is the image."""

    base: str
    name: str
    lines: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """Return what follows each such instruction."""
        return [rest for word, rest in self.lines if word == instruction]

    def last(self, instruction: str) -> str:
        """Return what follows the last such instruction, which is the one that counts."""
        return self.all(instruction)[-1]

    @property
    def environment(self) -> dict[str, str]:
        """Return ENV, unexpanded."""
        return dict(_pair(word) for line in self.all("ENV") for word in shlex.split(line))

    @property
    def command(self) -> list[str]:
        """Return CMD, which has to be in exec form."""
        return exec_form(self.last("CMD"))

    @property
    def health_check(self) -> list[str]:
        """Return the command of HEALTHCHECK, which has to be in exec form."""
        return exec_form(self.last("HEALTHCHECK").partition(" CMD ")[2])


def stages(path: Path) -> list[Stage]:
    """Return the stages of a Dockerfile in their order."""
    found: list[Stage] = []
    kept = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(kept)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base, name))
        elif word:
            found[-1].lines.append((word, re.sub(r"\s{2,}", " ", rest.strip())))
    return found


def image(name: str) -> Stage:
    """Return the last stage of a room's Dockerfile."""
    return stages(IMAGES[name])[-1]


def exec_form(text: str) -> list[str]:
    """Return the words of a JSON list; a shell's line is refused."""
    words = json.loads(text)
    assert all(isinstance(word, str) for word in words)
    return list(words)


def ignored(path: str) -> bool:
    """Say whether .dockerignore keeps a path of the checkout out of every image."""
    verdict = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        if line and not line.startswith("#") and _matches(line.removeprefix("!"), path):
            verdict = not line.startswith("!")
    return verdict


def _matches(pattern: str, path: str) -> bool:
    words = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*"}
    parts = re.split(r"(\*\*/|/\*\*|\*\*|\*)", pattern)
    regex = "".join(words.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(f"{regex}(/.*)?", path) is not None


def _pair(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value
