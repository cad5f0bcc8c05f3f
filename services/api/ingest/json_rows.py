"""NDJSON to batches of rows: one object a line, numbers read as the texts they stand for."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import orjson

from services.api.ingest.batch import ROWS, Batch
from services.api.ingest.columns import ATTRIBUTES, KINDS, unknown
from services.api.ingest.lines import Lines
from services.api.ingest.plan import Options
from services.shared.errors import InvalidError, MalformedError
from services.shared.nesting import MAX_DEPTH, is_too_deep

NUMBERS = frozenset({"value", "timestamp", "position"})


class JsonRows:
    """Looks at the first object at once; InvalidError when its keys are unknown."""

    def __init__(self, lines: Lines, *, kind: str, options: Options) -> None:
        self._lines = lines
        self._kind = KINDS[kind]
        self._ignore = options.ignore_unknown
        self._keys = [(name, options.mapping.get(name, name)) for name in self._kind.columns]
        self._known = {key for _, key in self._keys}
        self.columns = self._kind.columns + ((ATTRIBUTES,) if self._kind.open else ())
        text = iter(lines)
        first = next(text, None)
        if first is None:
            raise MalformedError("The file is empty.", code="EMPTY_FILE")
        self._refuse_unknown(first)
        self._text = enumerate(chain([first], text), start=1)

    def batches(self) -> Iterator[Batch]:
        """Yield the rows, some thousand at a time."""
        batch = Batch(self.columns)
        for number, line in self._text:
            self._take(batch, number, line)
            if len(batch) >= ROWS:
                yield batch
                batch = Batch(self.columns)
        yield batch

    def _refuse_unknown(self, line: str) -> None:
        try:
            first = orjson.loads(line)
        except orjson.JSONDecodeError:
            return  # told with its line number, like any other
        others = [key for key in first if key not in self._known] if type(first) is dict else []
        if others and not (self._kind.open or self._ignore):
            raise unknown(self._kind, others)

    def _take(self, batch: Batch, number: int, line: str) -> None:
        code = self._lines.fault(number, number)
        if code is not None:
            batch.reject(number, code, line)
            return
        try:
            batch.add(number, self._row(orjson.loads(line)))
        except orjson.JSONDecodeError as error:
            if line.strip():
                detail = f"The line is no JSON: {error.msg}."
                batch.reject(number, "MALFORMED_JSON", line, detail=detail)
        except InvalidError as error:
            batch.reject(number, error.code, line, detail=error.detail)

    def _row(self, found: object) -> Sequence[str | None]:
        if not isinstance(found, dict):
            raise InvalidError("The line is no JSON object.", code="MALFORMED_JSON")
        row = [_text(name, found.get(key)) for name, key in self._keys]
        others = {key: found[key] for key in found if key not in self._known}
        if self._kind.open:
            row.append(_attributes({} if self._ignore else others))
        elif others and not self._ignore:
            raise unknown(self._kind, list(others))
        return row


def _text(name: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if type(value) is int or (type(value) is float and name in NUMBERS):
        return str(value)
    raise InvalidError(f"{name} has the wrong JSON type.", code="WRONG_TYPE")


def _attributes(others: Mapping[str, Any]) -> str:
    """Return the keys beside the known ones and those of an object named `attributes`."""
    given = others.get(ATTRIBUTES)
    if given is not None and not isinstance(given, dict):
        raise InvalidError("attributes is no JSON object.", code="WRONG_TYPE")
    if is_too_deep(others):
        raise InvalidError(f"attributes nest deeper than {MAX_DEPTH}.", code="TOO_DEEP")
    rest = {key: value for key, value in others.items() if key != ATTRIBUTES}
    merged = orjson.dumps({**rest, **(given or {})})
    if b"\\u0000" in merged and _has_nul(orjson.loads(merged)):
        raise InvalidError("attributes may not hold the character U+0000.", code="NUL")
    return merged.decode()


def _has_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(_has_nul(inner) for inner in value)
    return isinstance(value, str) and "\0" in value
