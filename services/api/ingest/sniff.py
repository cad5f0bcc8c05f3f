"""A first look at a text upload: enough to refuse at once what could only fail later."""

from pathlib import Path

from services.api.ingest.csv_rows import CsvRows
from services.api.ingest.foreign import LATIN
from services.api.ingest.json_rows import JsonRows
from services.api.ingest.lines import Lines
from services.api.ingest.plan import Bounds, Options
from services.api.ingest.unpack import blocks

Rows = CsvRows | JsonRows


def open_rows(path: Path, *, kind: str, options: Options, bounds: Bounds) -> Rows:
    """Return a reader of the file, its header read.

    Raises MalformedError (empty, no UTF-8, damaged, another format) and InvalidError (columns).
    """
    packed = blocks(
        path,
        compression=options.compression,
        limit=bounds.unpacked_bytes,
        ratio=bounds.unpack_ratio,
    )
    lines = Lines(packed, limit=bounds.row_bytes, latin=options.preset in LATIN)
    if options.format == "csv":
        return CsvRows(lines, kind=kind, options=options, row_bytes=bounds.row_bytes)
    return JsonRows(lines, kind=kind, options=options)
