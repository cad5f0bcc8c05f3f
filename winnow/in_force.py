"""The settings that the running processes were started with, where the caller's are others now."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from winnow.home import Home, read_json, write_json

FILE = "in_force.json"


@dataclass(frozen=True, kw_only=True)
class InForce:
    """What a stack was started with.

    Attributes:
        llm_url: where ratings come from.
        digest: of all that the caller had set; the values may hold passwords.
    """

    llm_url: str
    digest: str


def remember(home: Home, given: Mapping[str, str], *, llm_url: str) -> None:
    """Write down what a stack was started with, all of whose services are new."""
    write_json(home.folder / FILE, {"llm_url": llm_url, "digest": _digest(given)})


def differing(home: Home, given: Mapping[str, str]) -> InForce | None:
    """Return what the running stack was started with; None if that is what `given` says."""
    kept = read_json(home.folder / FILE)
    if not kept or kept["digest"] == _digest(given):
        return None
    return InForce(llm_url=str(kept["llm_url"]), digest=str(kept["digest"]))


def _digest(given: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(given.items())).encode()).hexdigest()
