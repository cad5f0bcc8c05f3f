"""docker-compose.yml as the tests read it: services, and variables filled in as an engine does."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
FILE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
"""The services whose images are built from this checkout."""

VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:-|:\?)([^}]*))?\})")


def filled(text: str, env: dict[str, str]) -> str:
    """Return a text with its variables; ValueError names one that is required and unset."""

    def put(match: re.Match[str]) -> str:
        dollar, name, operator, word = match.groups()
        if dollar:
            return "$"
        if operator == ":?" and not env.get(name):
            raise ValueError(f"{name}: {word}")
        return env.get(name) or (word if operator == ":-" else "")

    return VARIABLE.sub(put, text)


def environment(name: str, env: dict[str, str]) -> dict[str, str]:
    """Return what a service's container gets; a name alone is handed on where it is set."""
    found = {}
    for key, value in (SERVICES[name].get("environment") or {}).items():
        if value is not None:
            found[key] = filled(str(value), env)
        elif key in env:
            found[key] = env[key]
    return found


def room(name: str) -> str:
    """Return the room whose Dockerfile makes the service's image."""
    return Path(SERVICES[name]["build"]["dockerfile"]).parent.name
