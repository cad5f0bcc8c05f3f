"""How fast the import's parser is, and how much memory it takes: each format, each packing.

    python -m benchmarks.ingest [--rows 1000000] [--folder FOLDER]

Makes one log of interactions, writes it nine ways, and parses each in the process that imports use,
limits and all. Beside it stands polars reading the same file whole, in a process of its own: it
checks nothing, rejects nothing and forgets line numbers, so it is the speed of light, not a rival.
Rates are rows per second of processor time, start of the process included; memory is resident.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import zstandard

from services.api.ingest import child
from services.api.ingest.plan import OUTCOME, Bounds, Options, Outcome, Plan
from services.shared.settings import Limits

POLL_SECONDS = 0.02
FORMATS = ("csv", "ndjson", "parquet")
PACKINGS = (None, "gzip", "zstd")
PLAIN = """
import gzip, sys, polars as pl, zstandard
path, form, packing = sys.argv[1:]
openers = {"gzip": gzip.open, "zstd": zstandard.open}
if form == "parquet":
    frame = pl.read_parquet(path)
else:
    reader = {"csv": pl.read_csv, "ndjson": pl.read_ndjson}[form]
    frame = reader(openers[packing](path, "rb").read() if packing in openers else path)
print(len(frame))
"""


@dataclass(frozen=True)
class Ran:
    """What one process took."""

    seconds: float  # of processor time
    peak_bytes: int  # resident


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the files go; else a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="winnow-ingest-") as own:
        folder = options.folder or Path(own)
        frame = log(options.rows)
        print(f"{options.rows:,} interactions: user, item, value, timestamp, type\n")
        print("| file | MB | parser, rows per CPU s | peak MB | polars, rows per CPU s | peak MB |")
        print("|---|--:|--:|--:|--:|--:|")
        for form in FORMATS:
            for packing in PACKINGS:
                path = write(frame, folder, form, packing)
                print(_line(path, form, packing, options.rows), flush=True)
                path.unlink()


def log(rows: int) -> pl.DataFrame:
    """Return a log of interactions whose users and items are as uneven as real ones."""
    draw = np.random.default_rng(0)
    users, items = draw.integers(0, rows // 20 + 1, rows), draw.zipf(1.3, rows) % (rows // 50 + 1)
    return pl.DataFrame(
        {
            "user_id": pl.Series(users).cast(pl.String).str.pad_start(8, "u"),
            "item_id": pl.Series(items).cast(pl.String).str.pad_start(8, "i"),
            "value": draw.integers(1, 11, rows) / 2,
            "timestamp": 1_600_000_000 + draw.integers(0, 10**8, rows),
            "type": pl.Series(draw.integers(0, 3, rows)).replace_strict(
                [0, 1, 2], ["view", "purchase", "rating"], return_dtype=pl.String
            ),
        }
    )


def write(frame: pl.DataFrame, folder: Path, form: str, packing: str | None) -> Path:
    """Write the log as a file of this format; Parquet is packed within, the others as a whole."""
    path = folder / f"log.{form}.{packing or 'plain'}"
    if form == "parquet":
        inner = {None: "uncompressed", "gzip": "gzip", "zstd": "zstd"}[packing]
        frame.write_parquet(path, compression=inner)  # type: ignore[arg-type] # a literal's words
        return path
    plain = folder / f"log.{form}"
    if form == "csv":
        frame.write_csv(plain)
    else:
        frame.write_ndjson(plain)
    if packing == "gzip":
        path.write_bytes(gzip.compress(plain.read_bytes(), compresslevel=1))
    elif packing == "zstd":
        path.write_bytes(zstandard.compress(plain.read_bytes()))
    else:
        plain.rename(path)
    plain.unlink(missing_ok=True)
    return path


def parse(path: Path, form: str, packing: str | None) -> tuple[Outcome, Ran]:
    """Parse a file in the import's own process; return what became of it and what it took."""
    limits = Limits()
    with tempfile.TemporaryDirectory(dir=path.parent) as target:
        plan = Plan(
            source=str(path),
            target=target,
            kind="interactions",
            options=Options(format=form, compression=None if form == "parquet" else packing),
            bounds=Bounds(
                unpacked_bytes=limits.unpacked_bytes,
                unpack_ratio=limits.unpack_ratio,
                row_bytes=limits.row_bytes,
                rows=limits.rows,
                text_chars=limits.text_chars,
                memory_bytes=limits.parse_memory_bytes,
            ),
            timezone=None,
            max_rejected=0.01,
        )
        ran = _run(child.command(), given=plan.encode())
        return Outcome.decode((Path(target) / OUTCOME).read_bytes()), ran


def _line(path: Path, form: str, packing: str | None, rows: int) -> str:
    outcome, ours = parse(path, form, packing)
    assert outcome.failure is None, outcome  # noqa: S101 - a bench of a failure measures nothing
    plain = _run((sys.executable, "-c", PLAIN, str(path), form, packing or ""))
    cells = (
        f"{form}, {packing or 'plain'}",
        f"{path.stat().st_size / 1e6:.1f}",
        f"{rows / ours.seconds:,.0f}",
        f"{ours.peak_bytes / 1e6:,.0f}",
        f"{rows / plain.seconds:,.0f}",
        f"{plain.peak_bytes / 1e6:,.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _run(command: tuple[str, ...], *, given: bytes = b"") -> Ran:
    with subprocess.Popen(  # noqa: S603 - our own programs
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=child.environment(),
        cwd=child.ROOT,
    ) as process:
        assert process.stdin is not None  # noqa: S101 - asked for above
        process.stdin.write(given)
        process.stdin.close()
        peak = 0
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            peak = _peak(process.pid) or peak
            time.sleep(POLL_SECONDS)
        process.returncode = os.waitstatus_to_exitcode(ended[1])
    assert process.returncode == 0, command  # noqa: S101 - as above
    return Ran(ended[2].ru_utime + ended[2].ru_stime, peak)


def _peak(pid: int) -> int:
    """Return the peak so far; the kernel's ru_maxrss would begin at its parent's."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()
