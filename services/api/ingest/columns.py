"""Which columns a file may have, and which of its headers is which column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.shared.errors import Fault, InvalidError

ATTRIBUTES = "attributes"
"""The column of everything else that a profile has, as one JSON object."""


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
    """A file's headers, understood: `picks` is column → header, `extras` become attributes."""

    kind: Kind
    headers: tuple[str, ...]
    picks: Mapping[str, str]
    extras: tuple[str, ...]


def resolve(
    kind: Kind, headers: Sequence[str], *, mapping: Mapping[str, str], ignore_unknown: bool
) -> Layout:
    """Return the layout; InvalidError names each header that is missing, double or unknown."""
    _refuse_twice(headers)
    picks = {column: mapping.get(column, column) for column in kind.columns}
    for column, header in picks.items():
        wanted = column in kind.required or column in mapping
        if wanted and header not in headers:
            raise _missing(column, header, headers)
    used = set(picks.values())
    others = tuple(header for header in headers if header not in used)
    if others and not (kind.open or ignore_unknown):
        raise unknown(kind, others)
    extras = others if kind.open and not ignore_unknown else ()
    present = {column: header for column, header in picks.items() if header in headers}
    return Layout(kind, tuple(headers), present, extras)


def check_mapping(kind: Kind, mapping: Mapping[str, str]) -> None:
    """Raise InvalidError when a mapped column is none of the kind's."""
    for column in mapping:
        if column not in kind.columns:
            raise InvalidError(
                f"There is no column {column!r} in {kind.name}; there are {_list(kind.columns)}.",
                pointer=f"/query/map.{column}",
                code="UNKNOWN_COLUMN",
            )


def unknown(kind: Kind, headers: Sequence[str]) -> InvalidError:
    """Return the error that names unknown headers, the known ones and the two ways out."""
    detail = (
        f"Unknown: {_list(headers)}. {kind.name.capitalize()} have {_list(kind.columns)}. "
        "Map a header with map.<column>=<header>, or pass ignore_unknown=true."
    )
    faults = [Fault(code="UNKNOWN_COLUMN", detail=f"Unknown: {name[:100]}.") for name in headers]
    return InvalidError(detail, code="UNKNOWN_COLUMN", errors=faults[:20])


def _missing(column: str, header: str, headers: Sequence[str]) -> InvalidError:
    name = column if column == header else f"{column} (mapped to {header!r})"
    return InvalidError(
        f"The column {name} is missing; the file has {_list(headers)}.", code="MISSING_COLUMN"
    )


def _refuse_twice(headers: Sequence[str]) -> None:
    twice = sorted({header for header in headers if headers.count(header) > 1})
    if twice:
        raise InvalidError(f"More than one column is named {_list(twice)}.", code="DOUBLE_COLUMN")


def _list(names: Sequence[str], limit: int = 20) -> str:
    shown = ", ".join(name[:100] for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
