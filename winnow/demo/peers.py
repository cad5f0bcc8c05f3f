"""The same split with EASE, GF-CF, iALS and popularity, from the trainer's bench command."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from winnow.bookshop.files import TRUTH, UPLOADED
from winnow.demo.failures import DemoError

COMMAND = ("-m", "services.trainer.bench", "peers")
PATIENCE = 900.0  # seconds
Row = dict[str, float | str]


def peers(data: Path, *, python: str = sys.executable) -> list[Row]:
    """Return the bench's rows, each with `name` and metrics on the test split.

    Raises:
        DemoError: the command is absent, failed, took too long or printed something else.
    """
    command = [python, *COMMAND, "--data", str(data), "--json"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DemoError(f"The peers' bench could not run: {error}") from error
    if done.returncode:
        raise DemoError(f"The peers' bench failed: {_last_line(done.stderr)}")
    return parse_peers(done.stdout)


def parse_peers(output: str) -> list[Row]:
    """Return the rows of the bench's last line of output.

    Raises:
        DemoError: it is no such JSON.
    """
    try:
        rows: list[Row] = json.loads(_last_line(output))["rows"]
    except (ValueError, KeyError, TypeError) as error:
        raise DemoError("The peers' bench printed no rows.") from error
    return rows


def shop_for_bench(shop: Path, folder: Path) -> Path:
    """Write the bookshop the way the bench reads data (numbered ids, Parquet) and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {
        kind: _numbered(shop / UPLOADED[kind], folder / f"{kind}.jsonl.gz")
        for kind in ("users", "items")
    }
    with (shop / TRUTH).open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    table = pa.table(
        {
            "user_id": pa.array([numbers["users"][row["user_id"]] for row in rows], pa.int32()),
            "item_id": pa.array([numbers["items"][row["item_id"]] for row in rows], pa.int32()),
            "split": pa.array([row["split"] for row in rows]),
        }
    )
    pq.write_table(table, folder / "interactions.parquet")
    return folder


def _numbered(profiles: Path, out: Path) -> dict[str, int]:
    """Copy profiles with numbers for ids; return the numbers by id."""
    numbers: dict[str, int] = {}
    with profiles.open(encoding="utf-8") as file, gzip.open(out, "wt", encoding="utf-8") as copy:
        for number, line in enumerate(file):
            row = json.loads(line)
            numbers[row["id"]] = number
            copy.write(json.dumps(row | {"id": number}, ensure_ascii=False) + "\n")
    return numbers


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
