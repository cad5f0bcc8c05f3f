"""Which columns a file may have, and which of its headers is which column."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from services.api.ingest.foreign import GATHERED, SHAPES, Shape, find, hint, titles
from services.shared.errors import Fault, InvalidError

ATTRIBUTES = "attributes"
"""The column of everything else that a profile has, as one JSON object."""
MAX_COLUMNS = 1_000
"""More columns than any log or profile has; what follows grows with them."""


@dataclass(frozen=True)
class Kind:
    """What one kind of upload consists of; `open` ones keep every other column as an attribute."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    open: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Return all known columns, the required ones first."""
        return self.required + self.optional

    @property
    def staged(self) -> tuple[str, ...]:
        """Return the columns of the staging table that a file fills, in its order."""
        return ("line", *self.columns) + ((ATTRIBUTES,) if self.open else ())


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "interactions",
            ("user_id", "item_id"),
            (
                "type",
                "value",
                "timestamp",
                "event_id",
                "text",
                "position",
                "split",
                "recommendation_id",
            ),
            open=False,
        ),
        Kind("users", ("id",), ("text",), open=True),
        Kind("items", ("id",), ("text",), open=True),
    )
}


@dataclass(frozen=True)
class Layout:
    """A file's headers, understood: `picks` is column → header, `extras` become attributes.

    Where `texts` are headers, their values together make the column `text`.
    """

    kind: Kind
    headers: tuple[str, ...]
    picks: Mapping[str, str]
    extras: tuple[str, ...]
    texts: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that a reader of the file fills, in this order."""
        told = ("text",) if self.texts else ()
        return (*self.picks, *told) + ((ATTRIBUTES,) if self.kind.open else ())


def resolve(
    kind: Kind,
    headers: Sequence[str],
    *,
    mapping: Mapping[str, str],
    ignore_unknown: bool,
    shape: Shape | None = None,
) -> Layout:
    """Return the layout; InvalidError names each header that is missing, double or unknown.

    Under a foreign `shape` its headers stand for ours unless `mapping` names others, and what it
    does not name is left out of interactions.
    """
    _refuse_many(headers)
    _refuse_twice(kind, headers)
    named = {**_foreign(shape, headers), **mapping}
    picks = {column: named.get(column, column) for column in kind.columns}
    present = set(headers)
    for column, header in picks.items():
        wanted = column in kind.required or column in mapping
        if wanted and header not in present:
            raise _missing(kind, column, header, headers)
    used = set(picks.values())
    others = tuple(header for header in headers if header not in used)
    if others and not (kind.open or ignore_unknown or shape):
        raise unknown(kind, others, headers)
    texts = _texts(shape, present) if "text" not in mapping else ()
    kept = {
        column: header
        for column, header in picks.items()
        if header in present and not (texts and column == "text")
    }
    extras = others if kind.open and not ignore_unknown else ()
    return Layout(kind, tuple(headers), kept, extras, texts)


def check_mapping(kind: Kind, mapping: Mapping[str, str]) -> None:
    """Raise InvalidError when a mapped column is none of the kind's."""
    for column in mapping:
        if column not in kind.columns:
            raise InvalidError(
                f"There is no column {column!r} in {kind.name}; there are {listed(kind.columns)}.",
                pointer=f"/query/map.{column}",
                code="UNKNOWN_COLUMN",
            )


def check_preset(kind: Kind, preset: str | None) -> None:
    """Raise InvalidError when a foreign mapping knows no files of the kind."""
    if preset is not None and not titles(preset, kind.name):
        kinds = sorted({shape.kind for shape in SHAPES if shape.mapping == preset})
        detail = f"mapping={preset} knows no {kind.name}, only {listed(kinds)}."
        raise InvalidError(detail, pointer="/query/mapping", code="UNKNOWN_LAYOUT")


def shape_of(
    kind: Kind, preset: str | None, names: Collection[str], *, line: str = ""
) -> Shape | None:
    """Return the shape that a foreign mapping has for this file; None where none was asked for.

    InvalidError when the file is none of those that the mapping knows.
    """
    if preset is None:
        return None
    shape = find(names, line=line, kind=kind.name, mapping=preset)
    if shape is None:
        detail = (
            f"mapping={preset} knows as {kind.name} {titles(preset, kind.name)}; "
            f"this file has {listed([*names] or [line.strip()])}."
        )
        raise InvalidError(detail, pointer="/query/mapping", code="UNKNOWN_LAYOUT")
    return shape


def unknown(kind: Kind, others: Sequence[str], headers: Sequence[str]) -> InvalidError:
    """Return the error that names unknown headers, the known ones and the ways out."""
    way = hint(kind.name, headers)
    detail = f"Unknown: {listed(others)}. {kind.name.capitalize()} have {listed(kind.columns)}." + (
        way or " Map a header with map.<column>=<header>, or pass ignore_unknown=true."
    )
    faults = [
        Fault(code="UNKNOWN_COLUMN", detail=f"Unknown: {name[:100]}.") for name in others[:20]
    ]
    return InvalidError(detail, code="UNKNOWN_COLUMN", errors=faults)


def listed(names: Sequence[str], limit: int = 20) -> str:
    """Return names as a list for people, none of it too long."""
    shown = ", ".join(name[:100] for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit:,} more"


def _foreign(shape: Shape | None, headers: Sequence[str]) -> dict[str, str]:
    """Return column → header for the columns that the shape has, and the file too."""
    if shape is None:
        return {}
    found = {
        column: next((name for name in candidates if name in headers), None)
        for column, candidates in shape.picks.items()
    }
    return {column: header for column, header in found.items() if header is not None}


def _texts(shape: Shape | None, present: Collection[str]) -> tuple[str, ...]:
    if shape is None:
        return ()
    made = {GATHERED} if shape.flags else set()
    return tuple(name for name in shape.texts if name in present or name in made)


def _missing(kind: Kind, column: str, header: str, headers: Sequence[str]) -> InvalidError:
    name = column if column == header else f"{column} (mapped to {header!r})"
    line = headers[0] if len(headers) == 1 else "\t".join(headers)
    way = hint(kind.name, headers, line=line) or _other_delimiter(headers)
    return InvalidError(
        f"The column {name} is missing; the file has {listed(headers)}.{way}",
        code="MISSING_COLUMN",
    )


def _other_delimiter(headers: Sequence[str]) -> str:
    if len(headers) == 1 and ";" in headers[0]:
        return " Its header has semicolons: put commas or tabs between the columns."
    return ""


def _refuse_many(headers: Sequence[str]) -> None:
    if len(headers) > MAX_COLUMNS:
        raise InvalidError(
            f"The file has {len(headers):,} columns; at most {MAX_COLUMNS:,} are read.",
            code="TOO_MANY_COLUMNS",
        )


def _refuse_twice(kind: Kind, headers: Sequence[str]) -> None:
    twice = sorted(header for header, count in Counter(headers).items() if count > 1)
    if twice:
        way = hint(kind.name, headers, line="\t".join(headers))  # a first row may repeat a number
        raise InvalidError(
            f"More than one column is named {listed(twice)}.{way}", code="DOUBLE_COLUMN"
        )
