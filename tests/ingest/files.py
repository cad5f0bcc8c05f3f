"""Files for the parser, and what it made of them."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from services.api.ingest.parse import parse
from services.api.ingest.plan import ERRORS, ROWS, Bounds, Options, Outcome, Plan

BOUNDS: dict[str, int] = {
    "unpacked_bytes": 100_000_000,
    "unpack_ratio": 200,
    "row_bytes": 20_000,
    "rows": 1_000_000,
    "text_chars": 1_000,
    "memory_bytes": 3 * 2**30,
}


def plan_for(
    folder: Path,
    body: bytes,
    *,
    kind: str = "interactions",
    max_rejected: float = 1.0,
    timezone: str | None = None,
    bounds: Mapping[str, int] | None = None,
    **options: object,
) -> Plan:
    """Return the plan of a file with this body; a CSV unless told otherwise."""
    source, target = folder / "source", folder / "target"
    source.write_bytes(body)
    target.mkdir(exist_ok=True)
    return Plan(
        source=str(source),
        target=str(target),
        kind=kind,
        options=Options(**cast("Any", {"format": "csv", **options})),
        bounds=Bounds(**{**BOUNDS, **(bounds or {})}),
        timezone=timezone,
        max_rejected=max_rejected,
    )


class Files:
    """Parses files in one folder, one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def parse(self, body: bytes, **how: object) -> Outcome:
        """Return what became of a file with this body."""
        return parse(plan_for(self.folder, body, **cast("Any", how)))

    def rows(self) -> list[list[str]]:
        """Return what would be copied: every field as text, NULL as the empty one."""
        text = (self.folder / "target" / ROWS).read_bytes().decode()
        return list(csv.reader(io.StringIO(text, newline="")))

    def report(self) -> str:
        """Return the report's file."""
        return (self.folder / "target" / ERRORS).read_text()
