"""`python -m services.api.ingest.parse PARENT`: one upload to rows for COPY, within limits.

The plan comes as JSON on standard input. What is left in the target folder: `rows.csv` (Postgres'
CSV, NULL as nothing), `errors.ndjson`, and, written last, `outcome.json`. No settings, secrets or
network are needed here, and an upload that breaks the parser breaks no more than this process.
"""

import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import polars as pl

from services.api.ingest.batch import Batch, ColumnBatch
from services.api.ingest.check import Checker
from services.api.ingest.columns import KINDS
from services.api.ingest.plan import ERRORS, OUTCOME, ROWS, Outcome, Plan
from services.api.ingest.report import Report
from services.api.ingest.seen import Seen, hash_events, hash_ids
from services.api.ingest.sniff import open_rows
from services.shared import disk, orphans
from services.shared.errors import MalformedError, TooLargeError, WinnowError
from services.shared.specs.dataset import zone

CPU_SECONDS, BYTES_PER_CPU_SECOND = 60, 1 << 20  # a sixth of the speed that was measured


class Reader(Protocol):
    """A file whose header or footer has been read."""

    def batches(self) -> Iterator[Batch] | Iterator[ColumnBatch]:
        """Yield the rows, some thousand at a time."""


class Parser:
    """Counts what becomes of one file's rows."""

    def __init__(self, plan: Plan, report: Report) -> None:
        self._plan = plan
        self._report = report
        self._kind = KINDS[plan.kind]
        self._checker = Checker(
            self._kind,
            text_chars=plan.bounds.text_chars,
            zone=zone(plan.timezone) if plan.timezone else None,
        )
        self._seen = Seen()
        self.accepted = 0
        self.duplicates = 0

    def run(self, rows: BinaryIO) -> None:
        """Read the whole file; MalformedError or TooLargeError when it cannot be taken as such."""
        reader = _reader(self._plan)
        if self._plan.glance:
            return
        for batch in reader.batches():
            self._take(batch, rows)
        self._judge()

    def outcome(self, failure: WinnowError | None = None) -> Outcome:
        """Return the counts so far."""
        future = self._checker.future
        detail = "Accepted, but their timestamp lies in the future."
        warnings = [{"code": "FUTURE_TIMESTAMP", "detail": detail, "rows": future}]
        return Outcome(
            accepted=self.accepted,
            duplicates=self.duplicates,
            rejected=self._report.rejected,
            errors=self._report.first,
            warnings=warnings if future else [],
            failure={"code": failure.code, "detail": failure.detail} if failure else None,
            refusal=type(failure).__name__ if failure else "",
        )

    @property
    def _total(self) -> int:
        return self.accepted + self.duplicates + self._report.rejected

    def _take(self, batch: Batch | ColumnBatch, rows: BinaryIO) -> None:
        frame = self._checker.check(batch)
        self._report.add(batch.bad)
        fresh = self._seen.first(hash_ids(frame) if self._kind.open else hash_events(frame))
        self.accepted += int(fresh.sum())
        self.duplicates += len(frame) - int(fresh.sum())
        if self._total > self._plan.bounds.rows:
            raise TooLargeError(f"The file has more than {self._plan.bounds.rows:,} rows.")
        self._give_up_in_time()
        # Of an id that comes twice the later profile stands, as if they had been sent one by one.
        kept = frame if self._kind.open else frame.filter(pl.Series(fresh))
        kept.write_csv(rows, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f+00")

    def _give_up_in_time(self) -> None:
        """Stop at more bad rows than any file may have: nothing that comes can mend it."""
        bad, most = self._report.rejected, self._plan.max_rejected * self._plan.bounds.rows
        if bad > most:
            raise MalformedError(
                f"{bad:,} rows are bad so far: more than {self._plan.max_rejected:.2%} of the "
                f"{self._plan.bounds.rows:,} that a file may have.",
                code="TOO_MANY_REJECTED",
            )

    def _judge(self) -> None:
        bad, share = self._report.rejected, self._plan.max_rejected
        if not self._total:
            raise MalformedError("The file has no rows.", code="EMPTY_FILE")
        if bad > share * self._total:
            raise MalformedError(
                f"{bad:,} of {self._total:,} rows are bad; at most {share:.2%} of them may be.",
                code="TOO_MANY_REJECTED",
            )


def parse(plan: Plan) -> Outcome:
    """Parse the plan's file into its folder and return what became of it."""
    folder = Path(plan.target)
    with (folder / ROWS).open("wb") as rows, Report(folder / ERRORS) as report:
        parser = Parser(plan, report)
        try:
            parser.run(rows)
        except WinnowError as error:
            return parser.outcome(error)
        return parser.outcome()


def _reader(plan: Plan) -> Reader:
    """Return a reader of the plan's file, its header or footer read."""
    source, options, bounds = Path(plan.source), plan.options, plan.bounds
    if options.format == "parquet":
        from services.api.ingest.parquet_rows import (  # noqa: PLC0415 - text needs not wait for it
            ParquetRows,
        )

        return ParquetRows(source, kind=plan.kind, options=options, bounds=bounds)
    return open_rows(source, kind=plan.kind, options=options, bounds=bounds)


def limit(plan: Plan) -> None:
    """Bound this process' address space and processor time."""
    unpacked = Path(plan.source).stat().st_size * plan.bounds.unpack_ratio
    seconds = CPU_SECONDS + min(unpacked, plan.bounds.unpacked_bytes) // BYTES_PER_CPU_SECOND
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_AS, (plan.bounds.memory_bytes,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Read the plan, set the limits, parse, tell; nobody would hear an orphan."""
    if not orphans.die_with(int(sys.argv[1])):
        return
    plan = Plan.decode(sys.stdin.buffer.read())
    limit(plan)
    try:
        outcome = parse(plan)
        part = Path(plan.target) / f"{OUTCOME}.part"
        part.write_bytes(outcome.encode())
    except Exception as error:
        if disk.is_full(error):
            sys.exit(disk.EXIT_CODE)
        raise
    part.rename(part.with_name(OUTCOME))


if __name__ == "__main__":
    main()
