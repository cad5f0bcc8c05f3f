"""What the parser's process is told, and what it tells back: both as one JSON object."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import orjson


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the caller says that a file is to be read; kept in `imports.options`."""

    format: str  # csv, ndjson, parquet
    compression: str | None = None  # gzip, zstd
    mapping: Mapping[str, str] = field(default_factory=dict)  # column -> header
    preset: str | None = None  # a foreign mapping by its name; `mapping` wins over it
    ignore_unknown: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return what `to_json` wrote, now or in an older version; other keys are not ours."""
        return cls(**{name: kept[name] for name in cls.__dataclass_fields__ if name in kept})


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a file may cost at most; see `services.shared.settings.Limits`."""

    unpacked_bytes: int
    unpack_ratio: int
    row_bytes: int
    rows: int
    text_chars: int
    memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One file to parse into one folder."""

    source: str  # path of the upload
    target: str  # path of an empty folder
    kind: str
    options: Options
    bounds: Bounds
    timezone: str | None
    max_rejected: float
    glance: bool = False  # look at the columns only

    def encode(self) -> bytes:
        """Return the plan as the child reads it from its standard input."""
        return orjson.dumps(asdict(self))

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Return what `encode` wrote."""
        body = orjson.loads(raw)
        body["options"] = Options(**body["options"])
        body["bounds"] = Bounds(**body["bounds"])
        return cls(**body)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of the file: counts of rows, the first errors, and a reason if it failed."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    failure: dict[str, str] | None = None  # code, detail
    invalid: bool = False  # the failure is an InvalidError: readable, but wrong

    def encode(self) -> bytes:
        """Return the outcome as one JSON object."""
        return orjson.dumps(asdict(self))

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Return what `encode` wrote."""
        return cls(**orjson.loads(raw))


ROWS, ERRORS, OUTCOME = "rows.csv", "errors.ndjson", "outcome.json"
"""The files that the parser leaves in its folder."""
