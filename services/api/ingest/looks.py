"""What a file gives away by its first bytes, where they belie what was said of it."""

from services.shared.errors import MalformedError

PARQUET = b"PAR1"
PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}  # RFC 1952, RFC 8878
OTHERS = {
    b"BZh": "The file is packed with bzip2; gzip and zstd are read.",
    b"\xfd7zXZ\0": "The file is packed with xz; gzip and zstd are read.",
    b"7z\xbc\xaf\x27\x1c": "The file is a 7z archive: send what is in it, one upload a file.",
    b"\xd0\xcf\x11\xe0": "The file is an old Excel workbook: save the sheet as CSV.",
    b"SQLite format 3\0": "The file is an SQLite database: send a table of it as CSV.",
    b"ARROW1": "The file is Arrow IPC: write it as Parquet.",
    b"\x93NUMPY": "The file is a NumPy array: write it as Parquet or CSV.",
}
ZIP = b"PK\x03\x04"
SHEET = b"[Content_Types].xml"


def refuse_packed(head: bytes, *, compression: str | None) -> None:
    """Raise MalformedError when plain bytes, or unpacked ones, are a packed file or a workbook."""
    for magic, name in PACKED.items():
        if head.startswith(magic) and compression is None:
            detail = f"The file looks like {name}: send it with Content-Encoding: {name}."
            raise MalformedError(detail, code=f"LOOKS_LIKE_{name.upper()}")
        if head.startswith(magic):
            detail = f"Unpacked, the file is {name} again: pack it once."
            raise MalformedError(detail, code=f"LOOKS_LIKE_{name.upper()}")
    if head.startswith(ZIP):
        detail = "The file is a zip archive: send what is in it, one upload a file."
        if SHEET in head[:4096]:
            detail = "The file is an Excel workbook (.xlsx): save the sheet as CSV."
        raise MalformedError(detail, code="LOOKS_LIKE_ZIP")
    for magic, detail in OTHERS.items():
        if head.startswith(magic):
            raise MalformedError(detail, code="NOT_TEXT")


def refuse_no_text(head: bytes) -> None:
    """Raise MalformedError when a file that should be CSV or NDJSON is neither, nor UTF-8."""
    if head.startswith(PARQUET):
        raise MalformedError(
            "The file is Parquet: send it with Content-Type: application/vnd.apache.parquet, "
            "or pass format=parquet.",
            code="LOOKS_LIKE_PARQUET",
        )
    line = head[:512].partition(b"\n")[0]
    if line.count(0) >= max(4, len(line) // 3):
        raise MalformedError("The file is UTF-16 or UTF-32; send UTF-8.", code="NOT_UTF8")
    if head.lstrip()[:1] == b"<":
        detail = "The file looks like HTML or XML: is it the page of an error that was saved?"
        raise MalformedError(detail, code="LOOKS_LIKE_HTML")


def refuse_no_parquet(head: bytes, tail: bytes) -> None:
    """Raise MalformedError when a file does not begin and end as Parquet does."""
    if not head:
        raise MalformedError("The file is empty.", code="EMPTY_FILE")
    if tail == b"PARE":
        raise MalformedError("The Parquet file is encrypted.", code="BAD_PARQUET")
    if head.startswith(PARQUET):
        if tail != PARQUET:
            detail = "The Parquet file is cut off: it does not end with its footer."
            raise MalformedError(detail, code="TRUNCATED")
        return
    for magic, name in PACKED.items():
        if head.startswith(magic):
            detail = f"The file is {name}, not Parquet: unpack it; Parquet is packed within."
            raise MalformedError(detail, code="BAD_PARQUET")
    refuse_packed(head, compression=None)
    looks = _text_format(head)
    told = f" It looks like {looks}: pass format={looks.lower()}." if looks else ""
    raise MalformedError(f"The file is no Parquet.{told}", code="BAD_PARQUET")


def refuse_json(line: str) -> None:
    """Raise MalformedError when what should be the header of a CSV is JSON."""
    refuse_array(line)
    if line.lstrip().startswith("{"):
        raise MalformedError(
            "The file looks like NDJSON, not CSV: send it with "
            "Content-Type: application/x-ndjson, or pass format=ndjson.",
            code="LOOKS_LIKE_NDJSON",
        )


def refuse_array(line: str) -> None:
    """Raise MalformedError when a file is one JSON array."""
    begin = line.strip()
    if begin == "[" or begin.startswith(("[{", "[ {")):
        raise MalformedError(
            "The file is one JSON array; NDJSON has one object a line (jq -c '.[]' makes it so).",
            code="JSON_ARRAY",
        )


def refuse_delimited(line: str) -> None:
    """Raise MalformedError when a first line that is no JSON is rather something else."""
    begin = line.strip()
    if begin.startswith("{'"):
        raise MalformedError(
            "The first line is a Python dict, not JSON: write each line with json.dumps.",
            code="MALFORMED_JSON",
        )
    if begin == "{":
        raise MalformedError(
            "The first object goes over several lines; NDJSON has one object a line "
            "(jq -c . makes it so).",
            code="MALFORMED_JSON",
        )
    if begin[:1] not in {"{", "["} and any(mark in begin for mark in ",\t;|"):
        raise MalformedError(
            "The file looks like CSV, not NDJSON: send it with Content-Type: text/csv, "
            "or pass format=csv.",
            code="LOOKS_LIKE_CSV",
        )


def _text_format(head: bytes) -> str:
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if begin[:1] in {b"{", b"["}:
        return "NDJSON"
    line = begin[:512].partition(b"\n")[0]
    return "CSV" if b"," in line or b"\t" in line else ""
